"""Plots of refusal and entropy: one bar an arm, with its 95 % interval, for every benchmark."""

from typing import TYPE_CHECKING

from reports.base import Column, Comparison
from reports.figures import INK, Plot, Range, colours, interval, short
from reports.leaderboard import number, readable, scale, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = ("refusal_rate", "entropy")
ROOM = 1.25
"""Length of the axis over the longest bar: the value stands at the bar's end."""


def bars(comparison: Comparison) -> list[Plot]:
    """All refusal rates first, then all entropies; a column without a number has no plot."""
    wanted = [column for metric in METRICS for column in comparison.columns if column.metric == metric]
    plots = []
    for column in wanted:
        factor = scale(column).factor
        found = {
            arm.name: interval(comparison.estimates.get((arm.name, column.key)), factor) for arm in comparison.arms
        }
        ranges = {name: one for name, one in found.items() if one}
        plots += [_plot(column, ranges, colours(comparison))] if ranges else []
    return plots


def _plot(column: Column, ranges: dict[str, Range], palette: dict[str, str]) -> Plot:
    factor = scale(column).factor

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        axes.spines[:].set_visible(False)
        for row, (name, one) in enumerate(ranges.items()):
            _draw_bar(axes, row, one, palette[name], number(column, one.value / factor))
        axes.set_yticks(range(len(ranges)), [short(name) for name in ranges])
        axes.set_ylim(len(ranges) - 0.4, -0.6)
        longest = max(one.high for one in ranges.values())
        axes.set_xlim(0, ROOM * (factor if column.unit == "share" else longest or 1))
        axes.set_xticks([])

    told = (f"{name} {number(column, one.value / factor)}" for name, one in ranges.items())
    alternative = f"{title(column)}, {column.benchmark}. {'; '.join(told)}"
    height = 0.5 + 0.31 * len(ranges)
    return Plot(column.key, title(column), readable(column.benchmark), 4.6, height, draw, alternative)


def _draw_bar(axes: "Axes", row: int, one: Range, colour: str, text: str) -> None:
    axes.barh(row, one.value, height=0.62, color=colour, alpha=0.75)
    axes.errorbar(one.value, row, xerr=one.errors, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5)
    axes.annotate(text, (one.high, row), (6, 0), textcoords="offset points", va="center")
