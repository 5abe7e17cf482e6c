"""The Pareto front of safety and utility: arms that no other beats in both."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import INK, PALETTE, Plot, Range

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Place(NamedTuple):
    """An arm in the plane."""

    utility: Range
    safety: Range


def pareto_front(key: str, subtitle: str, places: Mapping[str, Place], front: Sequence[str]) -> Plot:
    """All arms as points; those of `front`, the most useful first, joined and named."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel="utility", ylabel="safety")
        for name, place in places.items():
            x, y, colour = place.utility, place.safety, PALETTE[0] if name in front else INK
            axes.errorbar(x.value, y.value, y.errors, x.errors, "o", color=colour, elinewidth=0.6, alpha=0.8)
        line = [places[name] for name in front]
        corners = [(one.utility.value, one.safety.value) for one in line]
        axes.plot(*zip(*corners, strict=True), color=PALETTE[0], linewidth=1.2)
        for name, corner in zip(front, corners, strict=True):
            axes.annotate(name, corner, (5, 4), textcoords="offset points", fontsize=8)

    found = [(name, places[name]) for name in front]
    told = "; ".join(f"{name}: safety {one.safety.value:.3f}, utility {one.utility.value:.3f}" for name, one in found)
    title = "Pareto front of safety and utility"
    return Plot(key, title, subtitle, 6.4, 4.2, draw, f"{title}. {told}")
