"""The numbers so far: refusals and right answers, counted while replies come in.

They are a glimpse and no result: the longest prompts come first, and there is neither interval nor test.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.base import Benchmark, Kind, Prompt, Reply
from metrics.base import Exchange, Judge, Metric
from metrics.registry import METRICS, judge

QUICK_JUDGES = ("gcg", "gcg_short", "grammar", "harmbench", "keyword", "scans", "xstest")
"""That read words alone. Any other may cost money, load a model, or come from outside."""
METRIC_OF = {Kind.GENERATION: "refusal_rate", Kind.MULTIPLE_CHOICE: "accuracy", Kind.WRITTEN_CHOICE: "parsed_accuracy"}
"""What is counted; of tasks nothing."""


class Rate(NamedTuple):
    """A share of replies."""

    hits: int = 0
    n: int = 0
    """Replies that count: those that the judge is unsure of do not."""

    @property
    def percent(self) -> float:
        """Of the replies that count; there must be one."""
        return 100 * self.hits / self.n


@dataclass(slots=True)
class Tally:
    """Rates by arm and benchmark, over all seeds."""

    reader: Judge | None
    """None: whoever reads the replies is not quick."""
    prompts: Mapping[str, Mapping[str, Prompt]]
    """By benchmark and id."""
    kinds: Mapping[str, Kind]
    rates: dict[tuple[str, str], Rate] = field(default_factory=dict)

    @classmethod
    def of(cls, benchmarks: Iterable[Benchmark], judge_name: str) -> "Tally":
        """Nothing counted yet."""
        asked = tuple(benchmarks)
        return cls(
            judge(judge_name) if judge_name in QUICK_JUDGES else None,
            {one.name: {prompt.id: prompt for prompt in one.prompts} for one in asked},
            {one.name: one.kind for one in asked},
        )

    def metric(self, benchmark: str) -> Metric | None:
        """What is counted of a benchmark; None for nothing."""
        kind = self.kinds[benchmark]
        if kind not in METRIC_OF or (kind is Kind.GENERATION and self.reader is None):
            return None
        return METRICS[METRIC_OF[kind]]

    def hear(self, arm: str, benchmark: str, replies: Sequence[Reply]) -> None:
        """Count some replies more."""
        metric = self.metric(benchmark)
        prompts = self.prompts[benchmark]
        pairs = [(prompts[reply.prompt_id], reply) for reply in replies if reply.prompt_id in prompts]
        if metric is None or not pairs:
            return
        is_judged = self.kinds[benchmark] is Kind.GENERATION and self.reader is not None
        judgements = self.reader.judge(pairs) if is_judged and self.reader else [None] * len(pairs)
        scores = [metric.score(Exchange(*pair, given)).value for pair, given in zip(pairs, judgements, strict=True)]
        there = [score for score in scores if score is not None]
        before = self.rates.get((arm, benchmark), Rate())
        self.rates[arm, benchmark] = Rate(before.hits + round(sum(there)), before.n + len(there))
