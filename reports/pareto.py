"""The Pareto front of safety and utility: arms that no other beats in both."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import INK, PALETTE, Plot, Range, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Place(NamedTuple):
    """An arm in the plane."""

    utility: Range
    safety: Range


def draw_front(axes: "Axes", corners: Sequence[tuple[float, float]]) -> None:
    """A broken line through the arms of the front, behind their points, at their utility and safety."""
    axes.plot(*zip(*corners, strict=True), color=INK, linewidth=1.3, linestyle=(0, (4, 3)), alpha=0.75, zorder=1.5)


def pareto_front(key: str, subtitle: str, places: Mapping[str, Place], best: Sequence[str]) -> Plot:
    """All arms as points; those of `best`, the most useful first, joined and named."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel="utility", ylabel="safety")
        for name, place in places.items():
            x, y, colour = place.utility, place.safety, PALETTE[0] if name in best else INK
            axes.errorbar(x.value, y.value, y.errors, x.errors, "o", color=colour, elinewidth=0.6, alpha=0.8)
        corners = [(places[name].utility.value, places[name].safety.value) for name in best]
        draw_front(axes, corners)
        for name, corner in zip(best, corners, strict=True):
            axes.annotate(name, corner, (5, 4), textcoords="offset points", fontsize=small())

    found = [(name, places[name]) for name in best]
    told = "; ".join(f"{name}: safety {one.safety.value:.3f}, utility {one.utility.value:.3f}" for name, one in found)
    title = "Pareto front of safety and utility"
    return Plot(key, title, subtitle, 6.4, 4.2, draw, f"{title}. {told}")
