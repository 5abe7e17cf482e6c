"""What fits tell of themselves, drawn: neurons by layer, how layers were chosen, losses over the steps."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.base import Json
from reports.base import Comparison
from reports.figures import GRID, INK, PALETTE, Plot, panelled, short, small
from reports.layers import Layers, by_layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, ACROSS = 3.2, 3
"""Inches, and how many beside each other on a page."""
TITLE = 34
"""Characters of a panel's title before it goes on in another line."""
MOST_ARMS = 9
"""That have plots of their own; the diagnostics of all are with the methods."""
SETS = ("safety", "utility")
LOSSES = {
    "validation_loss": "validation loss",
    "losses": "loss",
    "discriminator_loss": "discriminator's loss",
    "generator_loss": "generator's loss",
}
CHOICES = {
    "area_under_curve_by_layer": "area under the curve",
    "margin_by_layer": "margin",
    "distance_by_layer": "distance",
    "bypass": "refusal left when ablated",
    "induce": "refusal when added",
    "step_by_layer": "length of the step",
}
"""Numbers that layers are chosen by, and SCANS's steps in the layers that were."""


class Told(NamedTuple):
    """One fit, or one part of a chain's."""

    arm: str
    seed: str
    facts: Mapping[str, Json]


class Curve(NamedTuple):
    """One panel of small multiples."""

    title: str
    places: Sequence[float]
    lines: Sequence[Sequence[float]]
    """One a fit."""
    chosen: Sequence[float] = ()
    """Places to mark."""


def fits(comparison: Comparison) -> list[Plot]:
    """Nothing for arms whose fits tell nothing of the kind."""
    parts: dict[str, list[Told]] = {}
    for arm in comparison.arms:
        for told in _parts(arm.name, "", arm.diagnostics):
            parts.setdefault(told.arm, []).append(told)
    neurons = [plot for name, some in parts.items() if (plot := _neurons(name, some))][:MOST_ARMS]
    choices = [curve for name, some in parts.items() for curve in _choices(name, some)][: 2 * MOST_ARMS]
    losses = [curve for name, some in parts.items() for curve in _losses(name, some)][: 2 * MOST_ARMS]
    curves = [
        ("layers", "How layers were chosen", "by layer; a dot marks a chosen one", "layer", choices),
        ("losses", "Losses of the fits", "over the steps of each fit; one line a seed or sample", "step", losses),
    ]
    return [*neurons, *(_multiples(*one) for one in curves if one[-1])]


def _parts(name: str, seed: str, facts: Mapping[str, Json]) -> Iterator[Told]:
    """A fit and the parts of a chain, by seed."""
    yield Told(name, seed, facts)
    for key, inner in facts.items():
        if isinstance(inner, Mapping):
            if key.startswith("seed-"):
                yield from _parts(name, key, inner)
            else:
                yield from _parts(f"{name}: {key}", seed, inner)


def _neurons(name: str, parts: Sequence[Told]) -> Plot | None:
    fitted = [one.facts for one in parts if all(f"{kind}_neurons_by_layer" in one.facts for kind in SETS)]
    if not fitted:
        return None
    sets = {f"{kind} neurons": _layers(kind, fitted) for kind in SETS}
    plot = by_layer(f"neurons of {name}", sets)
    title = f"Neurons of {short(name)} by layer"
    return replace(plot, title=title, width=5.2, height=4.4, alternative=f"{name}. {plot.alternative}")


def _layers(kind: str, fitted: Sequence[Mapping[str, Json]]) -> Layers:
    """Means over seeds."""
    counts = [_numbers(one[f"{kind}_neurons_by_layer"]) for one in fitted]
    keys = (f"{kind}_contribution_by_layer", f"mean_{kind}_score_by_layer")
    key = next((key for key in keys if all(key in one for one in fitted)), None)
    scores = [_numbers(one[key]) for one in fitted] if key else [[math.nan] * len(counts[0])]
    neurons = [_mean(layer) or 0.0 for layer in zip(*counts, strict=True)]
    return Layers(neurons, [_mean(layer) for layer in zip(*scores, strict=True)])


def _choices(name: str, parts: Sequence[Told]) -> Iterator[Curve]:
    """Of the first seed: others may have chosen otherwise."""
    for key, title in CHOICES.items():
        for told in parts:
            chosen = _numbers(told.facts.get("layers", told.facts.get("layer")))
            places, lines = _by_layer(told.facts, key, chosen)
            if lines:
                yield Curve(f"{short(name)}: {title}", places, lines, tuple(set(chosen)))
                break


def _by_layer(facts: Mapping[str, Json], key: str, chosen: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    value = facts.get(key)
    if isinstance(value, Mapping):
        return [float(layer) for layer in value], [_numbers(list(value.values()))]
    if key == "step_by_layer":
        steps = _numbers(value)
        return (list(chosen), [steps]) if steps and len(steps) == len(chosen) else ([], [])
    candidates = facts.get("candidates")
    if isinstance(candidates, Sequence) and all(isinstance(one, Mapping) and key in one for one in candidates):
        return _of_candidates(candidates, key, facts.get("tokens_before_last"))
    lines = _lines(value)
    return (list(map(float, range(len(lines[0])))), lines) if lines else ([], [])


def _of_candidates(candidates: Sequence[Json], key: str, chosen: Json) -> tuple[list[float], list[list[float]]]:
    """Those of the chosen place in the prompt, by layer."""
    found = [one for one in candidates if isinstance(one, Mapping) and one["place"] == chosen]
    return [_numbers(one["layer"])[0] for one in found], [[_numbers(one[key])[0] for one in found]] if found else []


def _losses(name: str, parts: Sequence[Told]) -> Iterator[Curve]:
    for key, title in LOSSES.items():
        lines = [line for one in parts for line in _lines(one.facts.get(key)) if len(line) > 1]
        if lines:
            longest = max(map(len, lines))
            yield Curve(f"{short(name)}: {title}", list(map(float, range(longest))), lines)


def _multiples(key: str, title: str, subtitle: str, label: str, curves: Sequence[Curve]) -> Plot:
    def draw(figure: "Figure") -> None:
        for axes, curve in zip(panelled(figure, len(curves), PANEL), curves, strict=True):
            axes.set_xlabel(label)
            _draw(axes, curve)

    told = "; ".join(f"{one.title} from {one.lines[0][0]:.3g} to {one.lines[0][-1]:.3g}" for one in curves)
    width = PANEL * min(ACROSS, len(curves))
    return Plot(key, title, subtitle, width, 2.1, draw, f"{title}. {told}", len(curves), PANEL)


def _draw(axes: "Axes", curve: Curve) -> None:
    axes.set_title(textwrap.fill(curve.title, TITLE), fontsize=small())
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.5)
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.locator_params(axis="y", nbins=4)
    for line in curve.lines:
        places = curve.places[: len(line)]
        axes.plot(places, line, ".-", color=PALETTE[0], linewidth=1.2, markersize=4, alpha=0.8)
        marked = [(place, value) for place, value in zip(places, line, strict=True) if place in curve.chosen]
        for place, value in marked:
            axes.plot(place, value, "o", color=INK, markersize=6)


def _lines(value: Json) -> list[list[float]]:
    """A list of numbers as one line, a list of lists as several."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return []
    if all(isinstance(one, Sequence) and not isinstance(one, str) for one in value):
        return [_numbers(one) for one in value]
    return [_numbers(value)]


def _numbers(value: Json) -> list[float]:
    """A number, or those of a list; None is NaN. Empty for anything else."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, Sequence) and all(one is None or isinstance(one, int | float) for one in value):
        return [math.nan if one is None else float(one) for one in value if one is None or isinstance(one, int | float)]
    return []


def _mean(values: Sequence[float]) -> float | None:
    """Over the seeds that have a neuron there."""
    there = [one for one in values if not math.isnan(one)]
    return fmean(there) if there else None
