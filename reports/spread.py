"""How entropy and length of single replies spread, an arm a box: a mean alone hides a model that has collapsed."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.base import Intent
from reports.base import Comparison, Sample
from reports.figures import GRID, INK, Plot, colours, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTENTS = {Intent.HARMFUL: "to harmful prompts", Intent.BENIGN: "to benign prompts"}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Box(NamedTuple):
    """Quantiles of the replies of one arm."""

    quantiles: tuple[float, ...]
    """At `QUANTILES`."""
    n: int


def spreads(comparison: Comparison) -> list[Plot]:
    """Entropy, then length, of the replies to harmful and to benign prompts; no plot where nothing varies or is."""
    measured = [one for one in comparison.samples if one.entropy is not None]
    entropies = {key: [one.entropy or 0.0 for one in some] for key, some in _groups(measured).items()}
    lengths = {key: [float(one.tokens) for one in some] for key, some in _groups(measured).items()}
    return [
        _plot(comparison, title, unit, {key: _box(values) for key, values in found.items()})
        for title, unit, found in (("Entropy", "bits", entropies), ("Length", "tokens", lengths))
        if any(max(values) > min(values) for values in found.values())
    ]


def _groups(samples: Iterable[Sample]) -> dict[tuple[str, Intent], list[Sample]]:
    groups: dict[tuple[str, Intent], list[Sample]] = {}
    for one in samples:
        groups.setdefault((one.arm, one.intent), []).append(one)
    return groups


def _box(values: list[float]) -> Box:
    import numpy as np

    finite = np.array(values)[np.isfinite(values)]
    return Box(tuple(map(float, np.quantile(finite, QUANTILES))) if len(finite) else (), len(finite))


def _plot(comparison: Comparison, title: str, unit: str, boxes: Mapping[tuple[str, Intent], Box]) -> Plot:
    names = [arm.name for arm in comparison.arms if any(name == arm.name for name, _ in boxes)]
    intents = [intent for intent in INTENTS if any(one is intent for _, one in boxes)]

    def draw(figure: "Figure") -> None:
        palette = colours(comparison)
        panels = figure.subplots(1, len(intents), sharey=True, squeeze=False)[0]
        for axes, intent in zip(panels, intents, strict=True):
            axes.set_title(INTENTS[intent], fontsize="medium")
            axes.set_xlabel(unit)
            axes.grid(visible=True, axis="x", color=GRID, linewidth=0.5)
            for row, name in enumerate(names):
                if (box := boxes.get((name, intent))) and box.n:
                    _draw_box(axes, row, box, palette[name])
        panels[0].set_yticks(range(len(names)), [short(name) for name in names])
        panels[0].set_ylim(len(names) - 0.4, -0.6)

    told = "; ".join(
        f"{name} {INTENTS[intent]}: median {box.quantiles[2]:.3g} (n {box.n})"
        for (name, intent), box in boxes.items()
        if box.n
    )
    height = 1.0 + 0.27 * len(names)
    subtitle = "a box holds half of the replies, its whiskers 90 %; the line is the median"
    return Plot(f"spread of {title}", f"{title} of single replies", subtitle, 6.4, height, draw, f"{title}. {told}")


def _draw_box(axes: "Axes", row: int, box: Box, colour: str) -> None:
    low, first, median, third, high = box.quantiles
    axes.plot([low, high], [row, row], color=colour, linewidth=1.2)
    axes.barh(row, third - first, left=first, height=0.56, color=colour, alpha=0.45, edgecolor=colour)
    axes.plot([median, median], [row - 0.28, row + 0.28], color=INK, linewidth=1.8)
