"""The order of several things: whether two orders agree, and what tests between all pairs leave of one."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from metrics.base import Difference, Z
from metrics.bootstrap import RESAMPLES
from metrics.paired import BOOTSTRAP

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

FLOOR = 2 / (1 + RESAMPLES)
"""The least p value of a bootstrap with one seed."""


def kendall_tau(
    first: "Float[np.ndarray, 'thing ...']", second: "Float[np.ndarray, 'thing ...']"
) -> "Float[np.ndarray, '...']":
    """Kendall's tau-b of two values of every thing: 1 where all pairs agree, -1 where all are turned round.

    Ties count for neither (Kendall 1945, "The treatment of ties in ranking problems", Biometrika 33). NaN where all
    things are tied in one of the two, or a value is NaN. Further axes, of resamples for instance, are kept apart.
    """
    one, other = _signs(first), _signs(second)
    agreement = (one * other).sum(axis=0)
    untied = np.sqrt((one**2).sum(axis=0) * (other**2).sum(axis=0))
    return np.where(untied > 0, agreement / np.where(untied > 0, untied, 1.0), np.nan)


def _signs(values: "Float[np.ndarray, 'thing ...']") -> "Float[np.ndarray, 'pair ...']":
    """Of every pair, which comes first: 1, -1, or 0 for a tie."""
    lower, upper = np.triu_indices(len(values), k=1)
    return np.asarray(np.sign(values[lower] - values[upper]))


class Places(NamedTuple):
    """Where one of several things may stand in their order, 1 being first."""

    first: int
    """The best that the tests allow: 1 + the number of things that are significantly better."""
    last: int
    """The worst: the number of things less those that are significantly worse."""


def places(beats: "Bool[np.ndarray, 'thing thing']") -> list[Places]:
    """Ranks with ties from tests between all pairs; `beats[i, j]` where a test supports that i is better than j.

    What no test tells apart shares a rank: there is no order within noise. The tests may be intransitive (a beats c, b
    is told from neither), so the places between `first` and `last` say how much they leave open.

    Raises:
        ValueError: If a thing beats itself, or two beat each other.
    """
    if (beats & beats.T).any():
        raise ValueError("two things beat each other")
    better, worse = beats.sum(axis=0), beats.sum(axis=1)
    return [Places(1 + int(above), len(beats) - int(below)) for above, below in zip(better, worse, strict=True)]


def with_tails(pairs: Sequence[Difference]) -> list[Difference]:
    """The same, where no resample was on the other side of zero with the p value of the normal tail, if it is smaller.

    2,000 resamples cannot say less than p = 0.001, which Holm over the pairs of eleven arms turns into p > 0.05 for
    every one of them, however far apart they are. The standard error is the interval's width over 3.92. What the
    resamples can tell, every p value above that floor, stays as it is, and so does that of seeds as clusters, which is
    of a t distribution and has no floor.
    """
    return [_with_tail(pair) for pair in pairs]


def _with_tail(pair: Difference) -> Difference:
    error = (pair.high - pair.low) / (2 * Z)
    if pair.test != BOOTSTRAP or pair.p_value > FLOOR or not error:
        return pair
    p_value = min(pair.p_value, math.erfc(abs(pair.value) / error / math.sqrt(2)))
    return replace(pair, p_value=p_value, p_adjusted=p_value)
