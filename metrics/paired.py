"""An arm against a baseline on the same prompts: the difference, its 95 % interval, and its test.

Both come as a matrix with one row a seed and one column a prompt, NaN where a reply is unscored. A matrix of one row,
from an arm without chance, stands beside every seed of the other. Only pairs count: a reply without a score leaves out
its partner too. Results are deterministic and do not depend on the order of the prompts.

Differences of 0 and 1 whose seeds agree are tested by McNemar, marked by its mid-p version. All else meets the paired
bootstrap: prompts are drawn once for both arms, and where seeds do not agree their variance counts
(`metrics.clusters`). There is no test where nothing can be told: of a single prompt's means, of infinite numbers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from metrics import bootstrap, clusters, estimation, su_f1
from metrics.base import Difference, Effect, Estimator
from metrics.bootstrap import Summary, mean_of_scored, resample
from metrics.effects import cohen_h, hedges_g
from metrics.estimation import without_repeats
from metrics.mcnemar import mcnemar, mid_p, tango

if TYPE_CHECKING:
    from jaxtyping import Float

MCNEMAR, BOOTSTRAP, CLUSTERED = "mid-p McNemar", "paired bootstrap", "paired bootstrap, seeds as clusters"
DECIMALS = 12
"""Resampled differences are rounded there, so that rounding does not tell apart what is equal."""

Comparer = Callable[["Float[np.ndarray, 'seed prompt']", "Float[np.ndarray, 'seed prompt']"], Difference | None]
"""Takes the scores of an arm and of its baseline; None where there is no test."""


class Sides(NamedTuple):
    """The scores of one arm that make its SU-F1."""

    harmful: su_f1.Scores
    benign: su_f1.Scores


def rates(arm: "Float[np.ndarray, 'seed prompt']", baseline: "Float[np.ndarray, 'seed prompt']") -> Difference | None:
    """Difference of two shares of ones.

    McNemar's test with Tango's interval where the seeds of either arm agree on every prompt, else the paired bootstrap.
    """
    pairs = _paired(arm, baseline)
    by_prompt = mean_of_scored(pairs.swapaxes(1, 2))
    n = by_prompt.shape[1]
    if not n:
        return None
    effect = cohen_h(*by_prompt.mean(axis=1))
    if not np.isin(by_prompt, (0.0, 1.0)).all():
        found = mean_shares(arm, baseline)
        return replace(found, effect=effect) if found else None
    gains, losses = (int((by_prompt[0] - by_prompt[1] == sign).sum()) for sign in (1, -1))
    p_value = mid_p(gains, losses)
    return Difference(
        (gains - losses) / n,
        *tango(gains, losses, n),
        p_value,
        p_adjusted=p_value,
        n_pairs=n,
        test=MCNEMAR,
        discordant=gains + losses,
        unpaired=arm.shape[1] - n,
        p_exact=mcnemar(gains, losses),
        effect=effect,
    )


def means(arm: "Float[np.ndarray, 'seed prompt']", baseline: "Float[np.ndarray, 'seed prompt']") -> Difference | None:
    """Difference of two means."""
    pairs = _paired(arm, baseline)
    # The mean of differences is the difference of means, and is drawn once instead of twice.
    gaps = pairs[:1] - pairs[1:]
    return _bootstrapped(gaps, bootstrap.means, lambda sides: sides[0], arm.shape[1], _effect(pairs))


def mean_shares(
    arm: "Float[np.ndarray, 'seed prompt']", baseline: "Float[np.ndarray, 'seed prompt']"
) -> Difference | None:
    """Difference of two means of scores from 0 to 1, its interval within -1 and 1."""
    found = means(arm, baseline)
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0)) if found else None


def geometric_means(
    arm: "Float[np.ndarray, 'seed prompt']", baseline: "Float[np.ndarray, 'seed prompt']"
) -> Difference | None:
    """Difference of two geometric means, in their own unit; its effect size is that of the logarithms."""
    logarithms = np.log(_paired(arm, baseline))
    return _bootstrapped(
        logarithms,
        bootstrap.means,
        lambda sides: np.exp(sides[0]) - np.exp(sides[1]),
        arm.shape[1],
        _effect(logarithms),
    )


def medians(arm: "Float[np.ndarray, 'seed prompt']", baseline: "Float[np.ndarray, 'seed prompt']") -> Difference | None:
    """Difference of two medians over prompts."""
    pairs = _paired(arm, baseline)
    return _bootstrapped(pairs, bootstrap.medians, lambda sides: sides[0] - sides[1], arm.shape[1], None)


COMPARERS: Mapping[Estimator, Comparer] = {
    estimation.rate: rates,
    estimation.share: rates,
    estimation.mean: means,
    estimation.mean_share: mean_shares,
    estimation.geometric_mean: geometric_means,
    estimation.median: medians,
}
"""The paired counterpart of every estimator; a metric with an estimator of its own has no test."""


def safety_utility(arm: Sides, baseline: Sides, bounds: su_f1.Bounds = su_f1.PAPER_BOUNDS) -> dict[str, Difference]:
    """Differences of safety, utility and SU-F1 by name, from joint resamples.

    What lacks a score, or rests on a single prompt of either set, is left out.
    """
    harmful, benign = (_masked_scores(ours, theirs) for ours, theirs in zip(arm, baseline, strict=True))
    sides = [Sides(*su_f1.collapsed(*pair)) for pair in zip(harmful, benign, strict=True)]
    ours, theirs = (su_f1.resamples(*side, bounds) for side in sides)
    refusal, entropy = np.concatenate([side.stacked for side in sides[0]], axis=2)
    found = {}
    for name, needed in (("safety", refusal), ("utility", entropy), ("su_f1", refusal + entropy)):
        drawn = getattr(ours, name) - getattr(theirs, name)
        scored = ~np.isnan(needed).all(axis=0)
        fewest = min(map(np.sum, np.split(scored, [arm.harmful.refusal.shape[1]])))
        if fewest > 1 and math.isfinite(drawn[0, 0]):
            n = int(scored.sum())
            found[name] = _tested(drawn, n, needed.shape[1] - n)
    return found


def averages(
    arm: "Float[np.ndarray, 'input seed instance']", baseline: "Float[np.ndarray, 'input seed instance']"
) -> Difference | None:
    """Difference of two means over inputs, where an instance is drawn with all of its inputs."""
    pairs = np.stack([_masked(ours, theirs) for ours, theirs in zip(arm, baseline, strict=True)])
    kept = without_repeats(pairs[..., ~np.isnan(pairs).all(axis=(0, 1, 2))])
    kept = kept[..., np.lexsort(kept.reshape(-1, kept.shape[-1]))]
    gains = kept[:, 0] - kept[:, 1]
    return _bootstrapped(gains, bootstrap.means, lambda inputs: inputs.mean(axis=0), arm.shape[-1], None)


def holm(family: Sequence[Difference]) -> list[Difference]:
    """The same differences with p values that hold for all of them together (Holm 1979), in their order.

    A family is the arms of one column: a reader asks of one number which arms move it. Other columns are other
    questions, and running more benchmarks must not make an arm's gain on this one less certain.
    """
    order = sorted(range(len(family)), key=lambda place: family[place].p_value)
    adjusted, floor = list(family), 0.0
    for rank, place in enumerate(order):
        floor = max(floor, min(1.0, (len(family) - rank) * family[place].p_value))
        adjusted[place] = replace(family[place], p_adjusted=floor)
    return adjusted


def _masked(
    arm: "Float[np.ndarray, '... seed prompt']", baseline: "Float[np.ndarray, '... seed prompt']"
) -> "Float[np.ndarray, 'arm ... seed prompt']":
    """The arm, then its baseline, with as many seeds, and NaN where either has no score."""
    seeds, others = arm.shape[-2], baseline.shape[-2]
    if arm.shape[-1] != baseline.shape[-1] or (seeds != others and 1 not in (seeds, others)):
        raise ValueError(f"scores of shape {arm.shape} cannot be paired with scores of shape {baseline.shape}")
    both = np.stack(np.broadcast_arrays(arm, baseline))
    return np.where(np.isnan(both).any(axis=0), np.nan, both)


def _paired(
    arm: "Float[np.ndarray, 'seed prompt']", baseline: "Float[np.ndarray, 'seed prompt']"
) -> "Float[np.ndarray, 'arm seed pair']":
    """The same on the prompts that both have a score for, in an order that only the scores decide."""
    both = _masked(arm, baseline)
    kept = without_repeats(both[:, :, ~np.isnan(both[0]).all(axis=0)])
    return kept[:, :, np.lexsort(np.concatenate(kept))]


def _masked_scores(arm: su_f1.Scores, baseline: su_f1.Scores) -> list[su_f1.Scores]:
    """Both on all prompts of their set, so that they meet the same draws."""
    refusal, entropy = _masked(arm.refusal, baseline.refusal), _masked(arm.entropy, baseline.entropy)
    return [su_f1.Scores(*measures) for measures in zip(refusal, entropy, strict=True)]


def _effect(pairs: "Float[np.ndarray, 'arm seed pair']") -> Effect | None:
    return hedges_g(*mean_of_scored(pairs.swapaxes(1, 2)))


def _bootstrapped(
    measures: "Float[np.ndarray, 'measure seed pair']",
    summary: Summary,
    difference: "Callable[[Float[np.ndarray, 'measure ...']], Float[np.ndarray, '...']]",
    prompts: int,
    effect: Effect | None,
) -> Difference | None:
    """`difference` of what `summary` makes of each measure, in the sample and in every resample."""
    n = measures.shape[-1]
    if n < 2 or not np.isfinite(measures).all(where=~np.isnan(measures)):
        return None
    drawn = difference(resample(measures, summary))
    return replace(_tested(drawn, n, prompts - n), effect=effect) if math.isfinite(drawn[0, 0]) else None


def _tested(drawn: "Float[np.ndarray, 'variant draw']", n_pairs: int, unpaired: int) -> Difference:
    rounded = drawn.round(DECIMALS)
    value, (low, high) = float(rounded[0, 0]), clusters.interval(rounded, n_pairs)
    p_value, test = clusters.p_value(rounded, n_pairs), BOOTSTRAP if len(rounded) == 1 else CLUSTERED
    return Difference(value, min(low, value), max(high, value), p_value, p_value, n_pairs, test, None, unpaired)
