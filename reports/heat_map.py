"""Heat maps over a grid of two settings, one panel a number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import GRID, INK, PALETTE, Plot, panelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 3.4
"""Inches, the width of a panel on a page."""


class Grid(NamedTuple):
    """One number over the grid."""

    title: str
    values: Sequence[Sequence[float | None]]
    """By row, then column; None where there is no number."""
    texts: Sequence[Sequence[str]]
    """What is written into the cells."""


def heat_maps(
    key: str, title: str, subtitle: str, panels: Sequence[Grid], axes: tuple[str, str], names: Sequence[str]
) -> Plot:
    """Panels side by side. `axes` names rows and columns; `names` are the settings along both."""

    def draw(figure: "Figure") -> None:
        for panel, place in zip(panels, panelled(figure, len(panels), PANEL), strict=True):
            place.set(ylabel=axes[0], xlabel=axes[1])
            _draw(place, panel, names)

    told = "; ".join(
        f"{panel.title}: {', '.join(f'{names[i]}/{names[j]} {text}' for j, text in enumerate(row))}"
        for panel in panels
        for i, row in enumerate(panel.texts)
    )
    return Plot(
        key, title, subtitle, PANEL * len(panels), 3.6, draw, f"{title}, {axes[0]}/{axes[1]}. {told}", len(panels)
    )


def _draw(axes: "Axes", panel: Grid, names: Sequence[str]) -> None:
    """The larger the number, the stronger the colour, from nothing at the smallest."""
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    values = np.array([[np.nan if value is None else value for value in row] for row in panel.values], dtype=float)
    colours = LinearSegmentedColormap.from_list("dose", [to_rgba(PALETTE[0], 0.05), to_rgba(PALETTE[0], 0.8)])
    axes.pcolormesh(values, cmap=colours, edgecolors=GRID, linewidth=0.8)
    axes.set_title(panel.title, fontsize="medium")
    ticks = [place + 0.5 for place in range(len(names))]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    for row, texts in enumerate(panel.texts):
        for column, text in enumerate(texts):
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=INK)
