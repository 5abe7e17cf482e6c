"""Plots of safety over utility, with 95 % intervals both ways and lines of equal SU-F1."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from metrics.pareto import Axes as Corner
from metrics.pareto import front
from reports.base import Column, Comparison
from reports.doses import doses
from reports.figures import GRID, INK, Plot, Range, Shape, colours, interval, page_width, shapes, short, small
from reports.leaderboard import benchmarks, readable
from reports.numbering import Place, placed
from reports.pareto import draw_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_NAMES = 12
"""Points that are led to their names; more of them are numbered."""
NARROW = 6.0
"""Inches of a page, below which a legend has no room at the side."""
LINE = 0.18
"""Inches, of a line in the legend of numbers."""


class Point(NamedTuple):
    """An arm in the plane of utility and safety."""

    name: str
    colour: str
    shape: Shape
    utility: Range
    safety: Range


def trade_offs(comparison: Comparison) -> list[Plot]:
    """One plot for every pairing of a harmful and a benign benchmark that has both numbers."""
    plots = []
    for pairing, columns in benchmarks(comparison).items():
        by_metric = {column.metric: column for column in columns}
        if "safety" in by_metric and "utility" in by_metric:
            points = _points(comparison, by_metric["safety"], by_metric["utility"])
            plots += [_plot(pairing, points, _curves(comparison, points))] if points else []
    return plots


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights moved so that neighbours are at least `gap` apart, none above 1, in the same order."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    ceiling = 1.0
    for place in range(len(placed) - 1, -1, -1):
        placed[place] = min(placed[place], ceiling)
        ceiling = placed[place] - gap
    return placed


def _points(comparison: Comparison, safety: Column, utility: Column) -> list[Point]:
    palette, marks = colours(comparison), shapes(comparison)
    points = []
    for arm in comparison.arms:
        horizontal = interval(comparison.estimates.get((arm.name, utility.key)))
        vertical = interval(comparison.estimates.get((arm.name, safety.key)))
        if horizontal and vertical:
            points.append(Point(arm.name, palette[arm.name], marks[arm.name], horizontal, vertical))
    return points


def _curves(comparison: Comparison, points: Sequence[Point]) -> list[list[Point]]:
    """Points of the arms that differ in a dose, in its order."""
    by_name = {point.name: point for point in points}
    curves = ([by_name[arm.name] for arm in arms if arm.name in by_name] for arms in doses(comparison.arms))
    return [curve for curve in curves if len(curve) > 1]


def _plot(pairing: str, points: Sequence[Point], curves: Sequence[Sequence[Point]]) -> Plot:
    best = front(points, lambda point: Corner(point.safety.value, point.utility.value))

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel="utility", ylabel="safety")
        axes.set_xlim(*_limits([point.utility for point in points]))
        axes.set_ylim(*_limits([point.safety for point in points]))
        axes.locator_params(nbins=6)
        _draw_harmonic_means(axes)
        for curve in curves:
            _draw_curve(axes, curve)
        draw_front(axes, [(point.utility.value, point.safety.value) for point in best])
        is_crowded = len(points) > MOST_NAMES
        for point in points:
            _draw_point(axes, point, is_crowded=is_crowded)
        if is_crowded:
            _draw_legend(figure, axes, points)
            _draw_numbers(figure, axes, points)
        else:
            _draw_names(axes, points)

    told = (f"{point.name}: safety {point.safety.value:.3f}, utility {point.utility.value:.3f}" for point in points)
    alternative = (
        f"Safety over utility on {pairing}. {'; '.join(told)}. Pareto front: {', '.join(point.name for point in best)}"
    )
    return Plot(pairing, "Safety against utility", readable(pairing), *_size(points), draw, alternative)


def _size(points: Sequence[Point]) -> tuple[float, float]:
    """Width and height in inches: a crowd gets more room, and a line of the legend for every point."""
    return (8.0, 0.7 + LINE * max(len(points), 22)) if len(points) > MOST_NAMES else (6.4, 4.2)


def _limits(ranges: Sequence[Range]) -> tuple[float, float]:
    ends = [end for one in ranges for end in one]
    margin = max(0.02, 0.08 * (max(ends) - min(ends)))
    return min(ends) - margin, max(ends) + margin


def _draw_harmonic_means(axes: "Axes") -> None:
    """Lines of equal SU-F1 = 2SU / (S + U), behind the points."""
    import numpy as np

    utility, safety = np.meshgrid(np.linspace(*axes.get_xlim(), 80), np.linspace(*axes.get_ylim(), 80))
    harmonic_mean = 2 * utility * safety / np.maximum(utility + safety, 1e-9)
    lines = axes.contour(utility, safety, harmonic_mean, levels=6, colors=GRID, linewidths=0.8)
    axes.clabel(lines, fontsize=small(), fmt="%.2f", colors=INK)


def _draw_curve(axes: "Axes", curve: Sequence[Point]) -> None:
    places = [(point.utility.value, point.safety.value) for point in curve]
    axes.plot(*zip(*places, strict=True), color=curve[0].colour, linewidth=1.1, alpha=0.7)


def _draw_point(axes: "Axes", point: Point, *, is_crowded: bool) -> None:
    place = (point.utility.value, point.safety.value)
    lines = axes.errorbar(*place, xerr=point.utility.errors, yerr=point.safety.errors, fmt="none", ecolor=point.colour)
    for line in lines[2]:
        line.set(linewidth=0.8 if is_crowded else 1.4, alpha=0.3 if is_crowded else 1.0)
    face = "none" if point.shape.is_hollow else point.colour
    size = 5 if is_crowded else 7
    axes.plot(*place, point.shape.marker, color=point.colour, markerfacecolor=face, markersize=size)


def _draw_names(axes: "Axes", points: Sequence[Point]) -> None:
    """Names stand on a rail at the right, in the order of the points' heights, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    ordered = sorted(points, key=lambda point: (point.safety.value, point.name))
    heights = apart([(point.safety.value - low) / (high - low) for point in ordered], gap=0.065)
    for point, height in zip(ordered, heights, strict=True):
        axes.annotate(
            short(point.name),
            xy=(point.utility.value, point.safety.value),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            arrowprops={"arrowstyle": "-", "color": point.colour, "alpha": 0.45, "linewidth": 0.8, "shrinkB": 5},
        )


def _draw_legend(figure: "Figure", axes: "Axes", points: Sequence[Point]) -> None:
    """Numbers and names in the order of the leaderboard: at the right, in a narrow figure in two columns below."""
    from matplotlib import rcParams

    columns = 2 if page_width(figure) < NARROW else 1
    rows = -(-len(points) // columns)
    for place, point in enumerate(points):
        column, row = divmod(place, rows)
        # Below the axes in points, since the layout decides how high they are.
        corner = (0.02 + 0.55 * column, 0.0) if columns > 1 else (1.06, 1 - (row + 0.5) / rows)
        down = -(4.4 + 1.25 * row) * float(rcParams["font.size"]) if columns > 1 else 0.0
        for text, right, align in ((str(place + 1), 0.0, "right"), (short(point.name), 5.0, "left")):
            axes.annotate(
                text,
                corner,
                (right, down),
                xycoords="axes fraction",
                textcoords="offset points",
                ha=align,
                va="center",
                color=point.colour if align == "right" else INK,
            )


def _draw_numbers(figure: "Figure", axes: "Axes", points: Sequence[Point]) -> None:
    """A number beside every point, with a line where it had to go further off."""
    figure.draw_without_rendering()  # the layout decides how far apart the points come to lie
    pixels = axes.transData.transform([(point.utility.value, point.safety.value) for point in points])
    marks = [Place(*(pixel * 72 / figure.dpi)) for pixel in pixels]
    for number, (point, mark, place) in enumerate(zip(points, marks, placed(marks), strict=True), start=1):
        axes.annotate(
            str(number),
            xy=(point.utility.value, point.safety.value),
            xytext=(place.x - mark.x, place.y - mark.y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=small(),
            arrowprops={"arrowstyle": "-", "color": point.colour, "alpha": 0.5, "linewidth": 0.6, "shrinkA": 4},
        )
