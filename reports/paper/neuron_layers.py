"""Figure 3 of the NeuronTune paper: selected neurons of each layer as bars, their mean score as a line."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import INK, PALETTE, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 6.4, 4.6
"""In inches."""


class Series(NamedTuple):
    """One set of neurons by layer."""

    name: str
    """`Safety` or `Utility`."""
    counts: Sequence[float]
    """Mean over seeds."""
    scores: Sequence[float | None]
    """Mean contribution by layer, None where nothing contributes; empty where neurons were not attributed."""


def neuron_layers(panels: Sequence[Series], alternative: str) -> Plot:
    """The drawing, for a page and for print; `alternative` is what a screen reader says."""
    return Plot("figure3", "", "", WIDTH, HEIGHT, lambda figure: _draw(figure, panels), alternative)


def _draw(figure: "Figure", panels: Sequence[Series]) -> None:
    rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, panel, colour in zip(rows, panels, PALETTE, strict=False):
        layers = range(len(panel.counts))
        axes.bar(layers, panel.counts, color=colour, alpha=0.8, width=0.7)
        axes.set_ylabel(f"{panel.name} neurons")
        axes.set_xlim(-0.6, len(panel.counts) - 0.4)
        axes.set_ylim(0, 1.15 * max([*panel.counts, 1]))
        if panel.scores:
            line = axes.twinx()
            heights = [math.nan if score is None else score for score in panel.scores]
            line.plot(layers, heights, color=INK, marker="o", markersize=3, linewidth=1)
            line.set_ylabel("Mean contribution")
    rows[-1].set_xlabel("Layer, counted from 0")
