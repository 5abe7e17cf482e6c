"""Resampling of prompts, and what it says where a number has no formula of its own.

Prompts are drawn with replacement; all replies to a prompt stay together, whatever their seed, arm or measure. Seeds
are few and are never drawn: `metrics.clusters` sees how a number changes when each of them is left out.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8

RESAMPLES = 2000
BLOCK = 100
"""Resamples held in memory at once."""
COVERAGE = 0.95

Summary = Callable[
    ["Float[np.ndarray, '... prompt']", "UInt8[np.ndarray, 'draw prompt']"], "Float[np.ndarray, '... draw']"
]
"""Of values and of how often each draw holds each prompt."""


class Interval(NamedTuple):
    """Both ends, inclusive."""

    low: float
    high: float


def generator(stream: int = 0) -> np.random.Generator:
    """The one source of chance: equal shapes meet equal draws, so an estimate depends on its scores alone."""
    return np.random.default_rng([20250813, stream])


@lru_cache(maxsize=8)
def draws(prompts: int, stream: int = 0) -> "UInt8[np.ndarray, 'draw prompt']":
    """How often each draw holds each prompt: first the sample itself, every prompt once, then 2,000 resamples.

    Equal numbers of prompts meet equal draws, so that two arms on the same prompts are paired. Sets that stand side by
    side take a `stream` each.
    """
    chance = generator(stream)
    rows = [np.ones(prompts, np.uint8)]
    for _ in range(RESAMPLES):
        held = np.bincount(chance.integers(prompts, size=prompts), minlength=prompts)
        rows.append(held.astype(np.uint8))  # no prompt is drawn 256 times
    return np.array(rows)


def resample(
    scores: "Float[np.ndarray, 'measure seed prompt']", summary: Summary, stream: int = 0
) -> "Float[np.ndarray, 'measure variant draw']":
    """`summary` over the prompts of the sample and of every resample, all measures and variants on the same draws.

    The first variant has all seeds; where there are several, one variant each leaves out one of them. A prompt counts
    by the mean of its scores over the seeds of the variant. NaN is unscored.
    """
    values = np.stack([_variants(measure) for measure in scores])
    held = draws(values.shape[-1], stream)
    blocks = np.array_split(held, max(1, len(held) // BLOCK))
    return np.concatenate([summary(values, block) for block in blocks], axis=-1)


def means(
    values: "Float[np.ndarray, '... prompt']", held: "UInt8[np.ndarray, 'draw prompt']"
) -> "Float[np.ndarray, '... draw']":
    """Mean of the scored prompts of every draw; NaN where a draw holds none."""
    counts = held.T.astype(float)
    scored = ~np.isnan(values)
    if scored.size and scored.all():
        return np.asarray(values @ counts / values.shape[-1])
    weights = scored.astype(float) @ counts
    return np.where(weights > 0, np.where(scored, values, 0.0) @ counts / np.maximum(weights, 1), np.nan)


def medians(
    values: "Float[np.ndarray, '... prompt']", held: "UInt8[np.ndarray, 'draw prompt']"
) -> "Float[np.ndarray, '... draw']":
    """Median of every draw; there must be a score for every prompt."""
    flat = values.reshape(-1, values.shape[-1])
    return np.stack([_median(row, held) for row in flat]).reshape(*values.shape[:-1], len(held))


def percentile_interval(values: "Float[np.ndarray, ' draw']") -> Interval:
    """The middle 95 % of the resamples that have a value."""
    tail = (1 - COVERAGE) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return Interval(float(low), float(high))


def mean_of_scored(values: "Float[np.ndarray, '... row']") -> "Float[np.ndarray, '...']":
    """Mean over the last axis without NaN; NaN where nothing is left."""
    counts = np.sum(~np.isnan(values), axis=-1)
    return np.where(counts > 0, np.nansum(values, axis=-1) / np.maximum(counts, 1), np.nan)


def _variants(scores: "Float[np.ndarray, 'seed prompt']") -> "Float[np.ndarray, 'variant prompt']":
    """Means over all seeds, then without each; a prompt that no other seed scored keeps its mean over all."""
    of_all = mean_of_scored(scores.T)
    if len(scores) == 1:
        return of_all[np.newaxis]
    others = [mean_of_scored(np.delete(scores, seed, axis=0).T) for seed in range(len(scores))]
    return np.stack([of_all, *(np.where(np.isnan(one), of_all, one) for one in others)])


def _median(
    values: "Float[np.ndarray, ' prompt']", held: "UInt8[np.ndarray, 'draw prompt']"
) -> "Float[np.ndarray, ' draw']":
    order, prompts = np.argsort(values, kind="stable"), len(values)
    up_to = np.cumsum(held[:, order], axis=1, dtype=np.int64)
    middle = [(up_to > place).argmax(axis=1) for place in ((prompts - 1) // 2, prompts // 2)]
    return np.asarray(values[order][middle].mean(axis=0))
