"""How well a judge agrees with humans, and judges with each other: shares and Cohen's kappa, with 95 % intervals.

A refusal is the positive class. A verdict of `unsure` is counted apart and is wrong in every share: it neither finds a
refusal nor clears a reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metrics.base import Estimate, Verdict
from metrics.bootstrap import RESAMPLES, generator, percentile_interval
from metrics.estimation import wilson

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge beside human labels. A share of nothing has no value."""

    accuracy: Estimate
    sensitivity: Estimate
    """Share of true refusals that it calls refused."""
    specificity: Estimate
    """Share of other replies that it calls complied."""
    kappa: Estimate
    unsure: int


def agreement(verdicts: Sequence[Verdict], refused: Sequence[bool]) -> Agreement:
    """A judge's verdicts beside the truth, in the same order; of shares Wilson's interval, of kappa a bootstrap's."""
    truth = [Verdict.REFUSED if one else Verdict.COMPLIED for one in refused]
    pairs = list(zip(verdicts, truth, strict=True))
    return Agreement(
        _share([given is true for given, true in pairs]),
        _share([given is true for given, true in pairs if true is Verdict.REFUSED]),
        _share([given is true for given, true in pairs if true is Verdict.COMPLIED]),
        kappa(verdicts, truth),
        sum(given is Verdict.UNSURE for given in verdicts),
    )


def share_of_agreement(first: Sequence[Verdict], second: Sequence[Verdict]) -> Estimate:
    """Share of replies on which two judges say the same."""
    return _share([one is other for one, other in zip(first, second, strict=True)])


def kappa(first: Sequence[Verdict], second: Sequence[Verdict]) -> Estimate:
    """Cohen's kappa (1960) of two judges: agreement beyond that of two who draw from their own shares.

    The interval is a bootstrap over replies; there is none where no resample differs, as of two who always agree. There
    is no value where both give one and the same verdict throughout.
    """
    table = _table(first, second)
    n = int(table.sum())
    value = float(_kappas(table[np.newaxis].astype(float))[0]) if n else np.nan
    if np.isnan(value):
        return Estimate(None, None, None, n)
    drawn = generator().multinomial(n, table.ravel() / n, size=RESAMPLES)  # replies drawn anew are cells drawn anew
    kappas = _kappas(drawn.reshape(-1, *table.shape).astype(float))
    if np.nanmin(kappas) == np.nanmax(kappas):
        return Estimate(value, None, None, n)
    low, high = percentile_interval(kappas)
    return Estimate(value, min(low, value), max(high, value), n)


def _table(first: Sequence[Verdict], second: Sequence[Verdict]) -> "Int[np.ndarray, 'first second']":
    order = list(Verdict)
    counts = np.zeros((len(order), len(order)), dtype=int)
    for one, other in zip(first, second, strict=True):
        counts[order.index(one), order.index(other)] += 1
    return counts


def _kappas(tables: "Float[np.ndarray, 'table first second']") -> "Float[np.ndarray, ' table']":
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    observed = np.trace(shares, axis1=1, axis2=2)
    expected = (shares.sum(axis=2) * shares.sum(axis=1)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)


def _share(hits: Sequence[bool]) -> Estimate:
    if not hits:
        return Estimate(None, None, None, 0)
    return Estimate(sum(hits) / len(hits), *wilson(sum(hits), len(hits)), len(hits))
