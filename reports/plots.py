"""All plots of a comparison in the order of the page, for the page and for print alike."""

from reports.bars import bars
from reports.base import Comparison
from reports.figures import Plot
from reports.trade_off import trade_offs


def plots(comparison: Comparison) -> list[Plot]:
    """Safety against utility, then refusals and entropy; none of what has no number."""
    return [*trade_offs(comparison), *bars(comparison)]
