"""The run's judge beside others on the same replies, as text."""

from collections.abc import Mapping
from typing import NamedTuple

from metrics.base import Estimate, Verdict
from reports.base import Comparison
from reports.leaderboard import MISSING, NO_INTERVAL

HEADERS = ("agreement (%)", "kappa", "both refused", "only the run's judge", "only the other", "neither", "unsure")
NOTE = (
    "Cohen's kappa is agreement beyond chance: 1 is perfect, 0 is none. Judges that agree may err together, and two "
    "lists of phrases are no independent witnesses: this is no accuracy. It tells how far the numbers depend on it."
)


class Opinion(NamedTuple):
    """One other judge."""

    judge: str
    texts: tuple[str, ...]
    """Under `HEADERS`."""
    read: str
    """How many replies."""


def opinions(comparison: Comparison) -> list[Opinion]:
    """In the order of the comparison."""
    return [
        Opinion(
            one.judge,
            (_percent(one.share), _text(one.kappa, 2), *_counted(one.counts)),
            f"{one.kappa.n:,} of {one.of:,} replies" if one.kappa.n < one.of else f"all {one.of:,} replies",
        )
        for one in comparison.second_opinions
    ]


def _counted(counts: Mapping[tuple[Verdict, Verdict], int]) -> tuple[str, ...]:
    """The two-by-two table, and the replies that either is unsure of."""
    refused, complied = Verdict.REFUSED, Verdict.COMPLIED
    cells = [(refused, refused), (refused, complied), (complied, refused), (complied, complied)]
    unsure = sum(count for pair, count in counts.items() if Verdict.UNSURE in pair)
    return tuple(f"{count:,}" for count in (*(counts.get(cell, 0) for cell in cells), unsure))


def _percent(estimate: Estimate) -> str:
    return _text(estimate, 1, 100.0)


def _text(estimate: Estimate, decimals: int, factor: float = 1.0) -> str:
    """There is no kappa where a judge gives one verdict throughout."""
    if estimate.value is None:
        return MISSING
    if estimate.low is None or estimate.high is None:
        return f"{factor * estimate.value:.{decimals}f} ({NO_INTERVAL})"
    low, high = (f"{factor * end:.{decimals}f}" for end in (estimate.low, estimate.high))
    return f"{factor * estimate.value:.{decimals}f} ({low}-{high})"
