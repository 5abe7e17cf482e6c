"""Resampling of seeds and prompts: both are clusters, since replies to one prompt, or of one fit, are alike.

The pigeonhole bootstrap (Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2)): draw seeds with
replacement, draw prompts with replacement, keep the cells where they cross. It errs on the wide side.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

RESAMPLES = 2000
BLOCK = 100
"""Resamples held in memory at once."""
COVERAGE = 0.95

Summary = Callable[["Float[np.ndarray, 'resample prompt']"], "Float[np.ndarray, ' resample']"]


class Interval(NamedTuple):
    """Both ends, inclusive."""

    low: float
    high: float


def generator() -> np.random.Generator:
    """The one source of chance: equal shapes meet equal draws, so an estimate depends on its scores alone."""
    return np.random.default_rng(20250813)


def draw_seeds(seeds: int, chance: np.random.Generator) -> "Int[np.ndarray, 'resample seed']":
    """How often each resample holds each seed; rows sum to `seeds`."""
    return chance.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES)


def resample(
    scores: "Float[np.ndarray, 'measure seed prompt']",
    seed_counts: "Int[np.ndarray, 'resample seed']",
    summary: Summary,
    chance: np.random.Generator,
) -> "Float[np.ndarray, 'measure resample']":
    """`summary` over prompts of every resample, with all measures of a prompt drawn together.

    Within a resample a prompt counts by the mean of its scores over the drawn seeds. NaN is unscored.
    """
    prompts = scores.shape[-1]
    blocks = []
    for counts in np.array_split(seed_counts, len(seed_counts) // BLOCK):
        drawn = chance.integers(prompts, size=(len(counts), prompts))
        blocks.append(
            [summary(np.take_along_axis(_mean_over_seeds(measure, counts), drawn, axis=1)) for measure in scores]
        )
    return np.concatenate(blocks, axis=1)


def percentile_interval(values: "Float[np.ndarray, ' resample']") -> Interval:
    """The middle 95 % of the resamples that have a value."""
    tail = (1 - COVERAGE) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return Interval(float(low), float(high))


def mean_of_scored(values: "Float[np.ndarray, '... row']") -> "Float[np.ndarray, '...']":
    """Mean over the last axis without NaN; NaN where nothing is left."""
    counts = np.sum(~np.isnan(values), axis=-1)
    return np.where(counts > 0, np.nansum(values, axis=-1) / np.maximum(counts, 1), np.nan)


def _mean_over_seeds(
    scores: "Float[np.ndarray, 'seed prompt']", counts: "Int[np.ndarray, 'resample seed']"
) -> "Float[np.ndarray, 'resample prompt']":
    """Mean of every prompt over the drawn seeds; a prompt that none of them scored keeps its mean over all seeds."""
    weights = counts @ (~np.isnan(scores)).astype(float)
    sums = counts @ np.nan_to_num(scores)
    return np.where(weights > 0, sums / np.maximum(weights, 1), mean_of_scored(scores.T))
