"""What all plots share: inline SVG, the same bytes for the same numbers, in the page's own text colour.

Colours are Okabe and Ito's, which readers of every colour vision tell apart (https://jfly.uni-koeln.de/color/), the
blue a little lighter so that it shows on a dark page; `default` takes the colour of the text.
"""

import html
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from metrics.base import Estimate
from reports.base import Comparison
from reports.controls import is_control
from reports.foreign import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#2a87c8", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#a68a00")
INK, GRID = "#0a0b0c", "#0a0b0d"
"""Stand-ins that become the page's text and line colours, so that one drawing serves light and dark."""
MARKERS = "s^DvPX*<>"
LONGEST_NAME = 26
TEXT = 10.0
"""Points of a page's text, at which a plot has the width and height that it names."""
SMALLEST = 6.5
"""Points that can still be read in print."""
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.major.size": 0,
    "ytick.color": INK,
    "ytick.major.size": 0,
}


@dataclass(frozen=True)
class Plot:
    """A drawing, and what to write above it."""

    key: str
    """Differs between the plots of a page: it seeds the ids inside the SVG."""
    title: str
    subtitle: str
    width: float
    """In inches, on a page."""
    height: float
    """On a page; on one where panels stand below each other, of each row of them."""
    draw: "Callable[[Figure], None]"
    """Draws on an empty figure."""
    alternative: str
    """What a screen reader says."""
    panels: int = 1
    """Side by side where there is room."""
    panel_width: float | None = None
    """Of each, where not all have room on a page."""

    def height_at(self, width: float, scale: float) -> float:
        """Inches at another width, for text of `scale` times the size of a page's: as many lines must fit."""
        across = panels_across(self.panels, self.panel_width or self.width / self.panels, width / scale)
        return self.height * scale * -(-self.panels // across)

    @cached_property
    def svg(self) -> str:
        """For a page, in its colours."""
        return _svg(self)


class Range(NamedTuple):
    """A value between the ends of its interval."""

    low: float
    value: float
    high: float

    @property
    def errors(self) -> list[list[float]]:
        """Lengths of the interval below and above the value, of shape (2, 1) as matplotlib wants them."""
        return [[max(0.0, self.value - self.low)], [max(0.0, self.high - self.value)]]


def interval(estimate: Estimate | None, factor: float = 1.0) -> Range | None:
    """An estimate as numbers to draw, times `factor`; a missing end lies on the value, a missing value gives None."""
    if estimate is None or estimate.value is None:
        return None
    ends = (estimate.low, estimate.value, estimate.high)
    return Range(*(factor * (estimate.value if end is None else end) for end in ends))


def colours(comparison: Comparison) -> dict[str, str]:
    """A colour for every arm, `default` first in the colour of the text.

    Where there are more arms than colours, arms of one method share theirs; methods beyond seven begin again.
    """
    names = {arm.name: arm.name for arm in comparison.arms[1:]}
    if len(names) > len(PALETTE):
        names = {arm.name: arm.method for arm in comparison.arms[1:]}
    places = {owner: place for place, owner in enumerate(dict.fromkeys(names.values()))}
    found = {name: PALETTE[places[owner] % len(PALETTE)] for name, owner in names.items()}
    return {comparison.arms[0].name: INK, **found}


class Shape(NamedTuple):
    """How the point of an arm looks without its colour."""

    marker: str
    """As matplotlib names it."""
    is_hollow: bool
    """Of controls."""


def shapes(comparison: Comparison) -> dict[str, Shape]:
    """A shape for every method, `default` a disc; controls are hollow. Methods beyond nine begin again."""
    methods = dict.fromkeys(arm.method for arm in comparison.arms[1:])
    markers = {method: MARKERS[place % len(MARKERS)] for place, method in enumerate(methods)}
    found = {arm.name: Shape(markers[arm.method], is_control(arm)) for arm in comparison.arms[1:]}
    return {comparison.arms[0].name: Shape("o", is_hollow=False), **found}


def short(name: str) -> str:
    """The name of an arm for a plot, where room is scarce: both ends, since doses differ in their last signs."""
    text, half = one_line(name), LONGEST_NAME // 2
    return text if len(text) <= LONGEST_NAME else f"{text[: half - 1]}…{text[-half:]}"


def page_width(figure: "Figure") -> float:
    """Inches that a figure would be wide if its text had a page's size: small type leaves more room."""
    from matplotlib import rcParams

    return float(figure.get_size_inches()[0] * TEXT / rcParams["font.size"])


def panels_across(panels: int, panel_width: float, width: float) -> int:
    """How many panels stand side by side, all widths for text of a page's size."""
    return max(1, min(panels, round(width / panel_width)))


def panelled(figure: "Figure", panels: int, panel_width: float) -> "Iterator[Axes]":
    """Axes side by side, those that have no room in further rows. `panel_width` is that on a page, in inches."""
    across = panels_across(panels, panel_width, page_width(figure))
    for place in range(panels):
        yield figure.add_subplot(-(-panels // across), across, place + 1)


def small() -> float:
    """Points of what is written small: less than the text around it, but to be read in print too."""
    from matplotlib import rcParams

    return max(SMALLEST, 0.8 * float(rcParams["font.size"]))


def standalone(svg: str) -> str:
    """The drawing as a file of its own, which has no page to take colours from: dark on white."""
    return svg.replace("<svg ", '<svg style="background: #fff; color: #1b1b1b; --grid: #c8c8c8" ', 1) + "\n"


def _svg(plot: Plot) -> str:
    """Metadata goes, and so do ids that nothing refers to, which would occur twice."""
    from matplotlib import style
    from matplotlib.figure import Figure

    stream = io.StringIO()
    with style.context(["default", {**STYLE, "svg.hashsalt": one_line(plot.key)}], after_reset=True):
        figure = Figure(figsize=(plot.width, plot.height_at(plot.width, 1.0)))
        plot.draw(figure)
        figure.savefig(stream, format="svg", metadata={"Date": None})
    svg = stream.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if f"#{match[1]}" in svg else "", svg)
    svg = svg.replace(INK, "currentColor").replace(GRID, "var(--grid)")
    label = html.escape(one_line(plot.alternative))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
