"""What a trial is asked, and what its replies are worth. Only dev prompts: test prompts choose nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.base import AlignmentData, Benchmark, Intent, Kind, Prompt, Split
from benchmarks.errors import UserError
from harness import ledger
from harness.records import reply_from_json
from metrics import su_f1
from metrics.base import Estimate, Exchange, Judge
from metrics.registry import METRICS

if TYPE_CHECKING:
    from jaxtyping import Float

OBJECTIVES = ("su_f1", "safety", "utility")


class DevPrompts(NamedTuple):
    """Both halves of what is asked; attacked prompts are on either side where the data have them."""

    harmful: Benchmark
    benign: Benchmark


class Exchanges(NamedTuple):
    """What was answered to both halves."""

    harmful: Sequence[Exchange]
    benign: Sequence[Exchange]


def dev_prompts(data: AlignmentData, limit: int | None) -> DevPrompts:
    """The dev prompts of either intent, at most `limit` each, spread evenly over the data's order.

    Raises:
        UserError: If the data have no dev prompts of one intent.
    """
    harmful, benign = data.harmful(Split.DEV), data.benign(Split.DEV)
    for intent, prompts in ((Intent.HARMFUL, harmful), (Intent.BENIGN, benign)):
        if not prompts:
            raise UserError(
                f"Alignment data '{data.name}' has no {intent} dev prompts. Tuning needs harmful and benign ones."
            )
    return DevPrompts(
        _benchmark(data, Intent.HARMFUL, _spread(harmful, limit)),
        _benchmark(data, Intent.BENIGN, _spread(benign, limit)),
    )


def judged(questions: Benchmark, replies: Path, judge: Judge) -> tuple[Exchange, ...]:
    """The finished replies of a file beside their prompts, each with a judgement."""
    records = ledger.read(replies).records
    pairs = [(prompt, reply_from_json(records[prompt.id])) for prompt in questions.prompts]
    return tuple(
        Exchange(prompt, reply, judgement) for (prompt, reply), judgement in zip(pairs, judge.judge(pairs), strict=True)
    )


def estimates(exchanges: Exchanges, bounds: su_f1.Bounds) -> Mapping[str, Estimate]:
    """Safety, utility and SU-F1 as in a leaderboard, and both refusal rates."""
    refusal = [_scores(side, "refusal_rate") for side in exchanges]
    sides = [su_f1.Scores(refused, _scores(side, "entropy")) for refused, side in zip(refusal, exchanges, strict=True)]
    rate = METRICS["refusal_rate"].estimate
    return {
        **su_f1.estimate(sides[0], sides[1], bounds)._asdict(),
        "harmful_refusal": rate(refusal[0]),
        "benign_refusal": rate(refusal[1]),
    }


def _scores(exchanges: Sequence[Exchange], metric: str) -> "Float[np.ndarray, '1 prompt']":
    score = METRICS[metric].score
    return np.array([[score(exchange).value for exchange in exchanges]], dtype=float)  # None becomes NaN


def _spread(prompts: Sequence[Prompt], limit: int | None) -> tuple[Prompt, ...]:
    """Data are often sorted, attacked prompts first: the first few would speak for those alone."""
    count = min(limit or len(prompts), len(prompts))
    return tuple(prompts[place * len(prompts) // count] for place in range(count))


def _benchmark(data: AlignmentData, intent: Intent, prompts: tuple[Prompt, ...]) -> Benchmark:
    assert all(prompt.split is Split.DEV for prompt in prompts)
    name = f"dev_{intent}"
    return Benchmark(name, f"{intent} dev prompts", Kind.GENERATION, intent, prompts, data.name, "", "")
