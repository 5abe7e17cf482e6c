"""Whether two readings of the same arms put them in the same order."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.arms import BASELINE
from harness.studies.base import Finished
from metrics import su_f1
from metrics.bootstrap import percentile_interval
from metrics.paired import Sides
from metrics.ranking import kendall_tau

if TYPE_CHECKING:
    from jaxtyping import Float


class Swap(NamedTuple):
    """Two arms of which the other is ahead in the second reading."""

    ahead: str
    """In the first reading."""
    behind: str
    is_tested: bool
    """Whether both readings tell the two apart beyond noise."""


class Agreement(NamedTuple):
    """What becomes of a ranking by SU-F1 from one reading to another."""

    arms: tuple[str, ...]
    tau: float
    """Kendall's tau-b; NaN where all arms are tied."""
    low: float
    high: float
    prompts: int
    swaps: tuple[Swap, ...]
    pairs: int
    kept: tuple[str, ...]
    """Arms whose significant difference from the unprotected model is so in both readings, with the same sign."""
    lost: tuple[str, ...]
    """Arms whose significant difference is none in the second, or has the other sign."""
    gained: tuple[str, ...]
    """Arms that differ in the second alone."""


def agreement(first: Finished, second: Finished) -> Agreement:
    """Of all arms that both readings have finished; the interval resamples seeds and prompts alike for both."""
    ours, theirs = (_values(run) for run in (first, second))
    arms = [arm for arm in first.evidence.arms if arm in ours and arm in theirs]
    if len(arms) < 2:
        return Agreement(tuple(arms), np.nan, np.nan, np.nan, 0, (), 0, (), (), ())
    values = [np.array([reading[arm] for arm in arms]) for reading in (ours, theirs)]
    drawn = kendall_tau(*(_resamples(run, arms) for run in (first, second)))
    tau = float(kendall_tau(*values))
    low, high = percentile_interval(drawn) if np.isfinite(drawn).any() else (np.nan, np.nan)
    others = [arm for arm in arms if arm != BASELINE]
    marks = [_marks(run, BASELINE, others) for run in (first, second)]
    return Agreement(
        arms=tuple(arms),
        tau=tau,
        low=min(float(low), tau),
        high=max(float(high), tau),
        prompts=sum(side.refusal.shape[1] for side in _found(first, arms[0])),
        swaps=tuple(_swaps(first, second, arms, values)),
        pairs=len(arms) * (len(arms) - 1) // 2,
        kept=tuple(arm for arm in others if marks[0][arm] and marks[0][arm] == marks[1][arm]),
        lost=tuple(arm for arm in others if marks[0][arm] and marks[0][arm] != marks[1][arm]),
        gained=tuple(arm for arm in others if not marks[0][arm] and marks[1][arm]),
    )


def _values(run: Finished) -> dict[str, float]:
    """SU-F1 of every arm that has one."""
    estimates = {arm: run.estimate(arm, run.su_f1.key) for arm in run.evidence.arms}
    return {arm: one.value for arm, one in estimates.items() if one is not None and one.value is not None}


def _resamples(run: Finished, arms: Sequence[str]) -> "Float[np.ndarray, 'arm ...']":
    """Arms without chance stand beside every seed of the others, so that all meet the same draws."""
    seeds = max(len(_found(run, arm).harmful.refusal) for arm in arms)
    return np.stack([su_f1.resamples(*_repeated(_found(run, arm), seeds), run.evidence.bounds).su_f1 for arm in arms])


def _found(run: Finished, arm: str) -> Sides:
    sides = run.evidence.table.of_pairing(arm, run.pairing)
    assert sides is not None, f"'{arm}' has an SU-F1 and nothing that makes it"
    return sides


def _repeated(sides: Sides, seeds: int) -> Sides:
    def widened(side: su_f1.Scores) -> su_f1.Scores:
        refusal, entropy = (np.broadcast_to(one, (seeds, one.shape[1])) for one in (side.refusal, side.entropy))
        return su_f1.Scores(refusal, entropy)

    return Sides(*map(widened, sides))


def _marks(run: Finished, baseline: str, arms: Sequence[str]) -> dict[str, int]:
    """By arm, the sign of its difference from the baseline where the test supports one, else 0."""
    found = run.against(baseline, arms, run.su_f1.key)
    signs = {arm: int(np.sign(one.value)) if one.is_significant else 0 for arm, one in found.items()}
    return {arm: signs.get(arm, 0) for arm in arms}


def _swaps(
    first: Finished, second: Finished, arms: Sequence[str], values: "Sequence[Float[np.ndarray, ' arm']]"
) -> list[Swap]:
    swaps = []
    for one, other in combinations(range(len(arms)), 2):
        gaps = [reading[one] - reading[other] for reading in values]
        if gaps[0] * gaps[1] < 0:
            ahead, behind = (arms[one], arms[other]) if gaps[0] > 0 else (arms[other], arms[one])
            tests = [_marks(run, behind, [ahead])[ahead] for run in (first, second)]
            swaps.append(Swap(ahead, behind, tests[0] * tests[1] < 0))
    return swaps


def told(found: Agreement, change: str) -> str:
    """`with keyword instead of grammar Kendall's tau is 0.93 (...), no pair swaps, ...`."""
    if not is_ranking(found):
        return f"{change} there is no ranking to compare: fewer than two arms have an SU-F1 in both, or all are tied"
    swaps = [f"{one.ahead} and {one.behind}{' beyond noise' if one.is_tested else ''}" for one in found.swaps]
    differences = len(found.kept) + len(found.lost)
    parts = [
        f"{change} Kendall's tau is {found.tau:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}, "
        f"{len(found.arms)} arms, {found.prompts} prompts)",
        f"{len(swaps)} of {found.pairs} pairs swap ({', '.join(swaps)})" if swaps else "no pair swaps",
        f"{len(found.kept)} of {differences} significant differences from the unprotected model stay",
    ]
    parts += [f"{', '.join(found.lost)} lost"] if found.lost else []
    parts += [f"{', '.join(found.gained)} gained"] if found.gained else []
    return ", ".join(parts)


def is_ranking(found: Agreement) -> bool:
    """Whether there is an order that could survive."""
    return len(found.arms) > 1 and not np.isnan(found.tau)


def survives(found: Agreement) -> bool:
    """Whether nothing that a test supports is turned round or gone: no swap beyond noise, no difference lost."""
    return is_ranking(found) and not found.lost and not any(swap.is_tested for swap in found.swaps)
