"""Figure 3 of the NeuronTune paper: selected neurons of each layer as bars, their mean score as a line."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import INK, PALETTE, STYLE, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#c3cbd1"
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


def svg(panels: Sequence[Series], alternative: str) -> str:
    """The drawing for a page, in its text colour."""
    return Plot("figure3", "", "", WIDTH, HEIGHT, lambda figure: _draw(figure, panels), alternative).svg


def standalone(drawing: str) -> str:
    """The same as a file of its own."""
    return drawing.replace("var(--grid)", GREY).replace("currentColor", "#1a2129")


def pdf(panels: Sequence[Series]) -> bytes:
    """The drawing for LaTeX: equal numbers give equal bytes."""
    from matplotlib import style
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with style.context(["default", {**STYLE, "axes.edgecolor": GREY, "pdf.fonttype": 42}], after_reset=True):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        _draw(figure, panels)
        figure.savefig(stream, format="pdf", metadata={"CreationDate": None, "ModDate": None})
    return stream.getvalue()


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
