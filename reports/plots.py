"""All plots of a comparison, for the page and for print alike."""

from typing import NamedTuple

from reports.bars import bars
from reports.base import Comparison
from reports.figures import Plot
from reports.fits import fits
from reports.spread import spreads
from reports.trade_off import trade_offs


class Plots(NamedTuple):
    """By the place on the page that shows them; nothing of what has no number."""

    trade_offs: list[Plot]
    """Safety against utility."""
    bars: list[Plot]
    """Refusals and entropy."""
    spreads: list[Plot]
    """Of single replies' entropy and length."""
    fits: list[Plot]
    """Neurons, layers and losses."""

    @property
    def all(self) -> list[Plot]:
        """In the order of the page."""
        return [plot for group in self for plot in group]


def plots(comparison: Comparison) -> Plots:
    """Drawn when they are first looked at."""
    return Plots(trade_offs(comparison), bars(comparison), spreads(comparison), fits(comparison))
