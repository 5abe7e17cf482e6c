"""What is left to do of a run, counted without loading a model, and how long it would take at an earlier run's pace."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.base import Kind, Prompt
from harness import ledger
from harness.config import RunConfig
from harness.fitting import read_facts
from harness.pace import Pace
from harness.plan import Plan, PlannedArm
from harness.run_folder import RunFolder

CHARACTERS_PER_TOKEN = 4
"""Of English text in the tokenizers of current chat models, roughly; the tokenizer itself is not loaded."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run still has to do."""

    fits: tuple[PlannedArm, ...]
    """An arm as often as it is to be fitted."""
    prompts: Mapping[Kind, int]
    """To be answered, over all cells."""
    prompt_tokens: int
    """An estimate from characters, without what the chat template adds."""
    most_reply_tokens: int
    """If no reply ended by itself. Weighed letters take none, and tasks of lm-evaluation-harness are not counted."""

    def seconds(self, pace: Pace) -> float:
        """Of the fits and replies whose pace is known, one after the other."""
        fitting = sum(cost.seconds for arm in self.fits if (cost := pace.fit(arm)))
        return fitting + sum(count * pace.seconds_per_prompt.get(kind, 0.0) for kind, count in self.prompts.items())

    def unknown(self, pace: Pace) -> list[str]:
        """What the earlier run says nothing of."""
        fits = [f"the fit of {arm.label}" for arm in self.fits if not pace.fit(arm)]
        kinds = [f"{kind.replace('_', '-')} benchmarks" for kind in self.prompts if kind not in pace.seconds_per_prompt]
        return [*dict.fromkeys(fits), *kinds]


def workload(config: RunConfig, plan: Plan) -> Workload:
    """Count what the run folder lacks."""
    folder = RunFolder(config.output)
    left = list(_left(plan, folder))
    kinds = Counter(kind for kind, prompts in left for _ in prompts)
    characters = sum(len(turn.content) for _, prompts in left for prompt in prompts for turn in prompt.messages)
    return Workload(
        fits=tuple(arm for arm in plan.arms for seed in arm.seeds if not read_facts(folder.artefact(arm.label, seed))),
        prompts=kinds,
        prompt_tokens=characters // CHARACTERS_PER_TOKEN,
        most_reply_tokens=(kinds[Kind.GENERATION] + kinds[Kind.WRITTEN_CHOICE]) * config.generation.max_new_tokens,
    )


def _left(plan: Plan, folder: RunFolder) -> Iterator[tuple[Kind, Sequence[Prompt]]]:
    """Prompts without a reply, cell by cell."""
    benchmarks = {benchmark.name: benchmark for benchmark in plan.benchmarks}
    for cell in plan.cells:
        there = ledger.read(folder.replies(cell)).records
        asked = benchmarks[cell.benchmark]
        yield asked.kind, [prompt for prompt in asked.prompts if prompt.id not in there]
