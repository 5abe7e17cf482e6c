"""What is known of a number: over new prompts, and over new seeds where an arm has several.

Seeds and prompts are crossed clusters. With one seed the interval is the middle of the resamples. With several the
variance of a number is that over prompts plus that over seeds, less what both count (the two-way formula of Cameron,
Gelbach and Miller 2011, Journal of Business & Economic Statistics 29(2)), and a t quantile allows for the few seeds:
three seeds that lie far apart leave 2 degrees of freedom, and a wide interval is what is known then. Two things it
cannot mend: two seeds (up to 19 % false alarms at 5 %), and rates near 0 or 1 whose seeds differ by a multiple (15 %).
Other scales than that of shares were tried and are not better everywhere: RESULTS.md, statistics.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from metrics.base import Z
from metrics.bootstrap import COVERAGE, RESAMPLES, Interval, percentile_interval

if TYPE_CHECKING:
    from jaxtyping import Float

SEED_WEIGHT = 2.0
"""Of the seeds' term in the degrees of freedom. Satterthwaite (1946) has 1, under which the test of three seeds rejects
7 to 8 % where seeds and prompts matter alike, as the variance of three numbers is itself poorly known."""


class Spread(NamedTuple):
    """How well a number is known."""

    error: float
    """Standard error."""
    freedom: float
    """Degrees of freedom of `error`."""

    @property
    def quantile(self) -> float:
        """Standard errors from the middle to either end of a 95 % interval."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, (1 + COVERAGE) / 2))


def spread(drawn: "Float[np.ndarray, 'variant draw']", prompts: int) -> Spread:
    """Of several seeds: the first variant has them all, the others lack one each; the first draw is the sample.

    `prompts` is 2 at least. The variance over seeds is the jackknife's; what it holds of single cells, which prompts
    count too, is how much leaving out a seed varies between the resamples.
    """
    seeds = len(drawn) - 1
    without = drawn[1:] - drawn[1:].mean(axis=0)
    small = prompts / (prompts - 1)
    of_prompts = small * float(np.nanvar(drawn[0, 1:]))
    of_cells = small * (seeds - 1) / seeds * float(np.nanvar(without[:, 1:], axis=1).sum())
    of_seeds = (seeds - 1) / seeds * float((without[:, 0] ** 2).sum())
    if of_seeds <= of_cells:
        return Spread(math.sqrt(of_prompts), prompts - 1)
    variance = of_prompts + of_seeds - of_cells
    doubt = SEED_WEIGHT * of_seeds**2 / (seeds - 1) + of_prompts**2 / (prompts - 1)
    return Spread(math.sqrt(variance), max(variance**2 / doubt, seeds - 1))


def interval(drawn: "Float[np.ndarray, 'variant draw']", prompts: int) -> Interval:
    """95 %, of a number that has no bounds."""
    if len(drawn) == 1:
        return percentile_interval(drawn[0, 1:])
    found, value = spread(drawn, prompts), float(drawn[0, 0])
    half = found.quantile * found.error
    return Interval(value - half, value + half)


def p_value(drawn: "Float[np.ndarray, 'variant draw']", prompts: int) -> float:
    """Two-sided, of a number that is 0 where there is no difference; it agrees with `interval`.

    With one seed twice the smaller share of resamples on either side of zero, the sample counted among them, so never
    below 2/2001; with several that of the t distribution, and below 5 % no less than `least` of few seeds says.
    """
    if len(drawn) == 1:
        resampled = drawn[0, 1:]
        smaller = 1 + min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
        return min(1.0, 2 * smaller / (1 + RESAMPLES))
    from scipy.special import stdtr

    found, value = spread(drawn, prompts), abs(float(drawn[0, 0]))
    if not found.error:
        return 2 / (1 + RESAMPLES) if value else 1.0
    distance = value / found.error
    return max(float(2 * stdtr(found.freedom, -distance)), least(distance, len(drawn) - 1))


def least(distance: float, seeds: int) -> float:
    """The least p value of a number that lies so many standard errors from 0.

    Few seeds may lie close together by chance; then their variance looks small and well known, and p values far below
    5 % come up far too often: without a difference, three seeds far apart on both sides gave p < 0.001 in 3.7 % of
    tests, and Holm over 66 pairs a false alarm in 84 % of families. So evidence grows no faster than under t with
    seeds - 1 degrees of freedom, scaled to be 5 % at the normal quantile: what is above 5 % is so with and without.
    """
    from scipy.special import stdtr

    return float((1 - COVERAGE) * stdtr(seeds - 1, -distance) / stdtr(seeds - 1, -Z))
