"""Numbers over a falling dose, one panel a number, one line a way of dosing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import PALETTE, Plot, Range, panelled, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 3.6
"""Inches, the width of a panel on a page."""


class Curve(NamedTuple):
    """One way of dosing."""

    name: str
    points: Sequence[Range | None]
    """By dose; None where there is no number."""


def dose_response(
    key: str, title: str, dose: str, panels: Mapping[str, Sequence[Curve]], doses: Sequence[float]
) -> Plot:
    """Panels side by side, doses at equal distances. `dose` says what is dosed."""

    def draw(figure: "Figure") -> None:
        for axes, (name, curves) in zip(panelled(figure, len(panels), PANEL), panels.items(), strict=True):
            axes.set_xlabel(dose)
            axes.set_title(name, fontsize="medium", wrap=True)
            _draw(axes, curves, doses)

    told = "; ".join(
        f"{name}, {curve.name}: {', '.join('-' if one is None else f'{one.value:.3f}' for one in curve.points)}"
        for name, curves in panels.items()
        for curve in curves
    )
    alternative = f"{title} at {', '.join(f'{one:g}' for one in doses)}. {told}"
    return Plot(key, title, dose, PANEL * len(panels), 3.4, draw, alternative, len(panels))


def _draw(axes: "Axes", curves: Sequence[Curve], doses: Sequence[float]) -> None:
    for number, curve in enumerate(curves):
        colour = PALETTE[number % len(PALETTE)]
        there = [(place, point) for place, point in enumerate(curve.points) if point is not None]
        if not there:
            continue
        # Beside each other, since intervals of equal doses would cover one another.
        places = [place + 0.08 * number for place, _ in there]
        axes.plot(places, [point.value for _, point in there], "o-", color=colour, markersize=5, label=curve.name)
        for place, (_, point) in zip(places, there, strict=True):
            axes.errorbar(place, point.value, yerr=point.errors, fmt="none", ecolor=colour, linewidth=1.1)
    axes.set_xticks(range(len(doses)), [f"{dose:g}" for dose in doses])
    axes.legend(frameon=False, fontsize=small())
