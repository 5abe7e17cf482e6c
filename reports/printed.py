"""Plots for papers: SVG and PDF in the widths and the type of a two-column page, the same bytes for the same numbers.

Type is STIX, a Times that comes with matplotlib, so that a figure looks the same wherever it is made. In a PDF text
stays text (TrueType, which publishers ask for); in an SVG it is outlines, since the reader's machine may lack STIX.
"""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple

from reports.figures import GRID, INK, STYLE, TEXT, Plot
from reports.foreign import one_line


class Measure(NamedTuple):
    """How large a figure is printed."""

    width: float
    """In inches."""
    text: float
    """In points."""


class Column(Enum):
    """Widths of the ICML style (6.75 in of text, two columns of 3.25 in); other two-column pages differ by 3 %."""

    SINGLE = Measure(3.25, 7)
    DOUBLE = Measure(6.75, 8)


FORMATS = ("svg", "pdf")
BLACK, GREY = "#000000", "#b4b4b4"
METADATA: Mapping[str, Mapping[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}


def printed(plot: Plot, column: Column, form: str) -> bytes:
    """The drawing as a file. Its height follows its text: as many lines fit as on the page.

    Args:
        plot: What is drawn.
        column: How wide it is to be.
        form: `svg` or `pdf`.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    width, text = column.value
    own = {
        "font.family": ["STIXGeneral", "DejaVu Sans"],  # the second for signs that the first lacks
        "font.size": text,
        "lines.linewidth": 1.0,
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": one_line(plot.key),
    }
    stream = io.BytesIO()
    with style.context(["default", {**STYLE, **own}], after_reset=True), _inked({INK: BLACK, GRID: GREY}):
        figure = Figure(figsize=(width, plot.height_at(width, text / TEXT)))
        plot.draw(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # names in scripts that neither font has are drawn as boxes
            figure.savefig(stream, format=form, metadata=dict(METADATA[form]))
    return stream.getvalue()


@contextmanager
def _inked(colours: Mapping[str, str]) -> Iterator[None]:
    """Have the stand-ins of a page drawn in other colours: matplotlib looks among names before it reads a number."""
    from matplotlib.colors import get_named_colors_mapping

    names: Any = get_named_colors_mapping()
    for name, colour in colours.items():
        names[name] = colour  # `update` would leave the colours that matplotlib has kept
    try:
        yield
    finally:
        for name in colours:
            del names[name]
