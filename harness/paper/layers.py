"""Figure 3: where NeuronTune's safety and utility neurons lie, from what its fits tell of themselves."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.errors import UserError
from harness.paper import lines
from harness.paper.building import judged
from harness.paper.evidence import Entry, Evidence
from harness.paper.layout import Options
from harness.paper.naming import MAIN, published_model, shown_model
from metrics.base import Estimate
from reports.paper.neuron_layers import Series
from reports.paper.table import Cell, Heading, PaperTable, Row

NAMES = ("safety", "utility")
PUBLISHED = (
    "The paper's figure 3, of 2000 safety and 2000 utility neurons in the 32 layers of LLaMA3.1-8B-Instruct, peaks at "
    "layer 13 (205 safety neurons) and at layer 31 (269 utility neurons)."
)


class Line(NamedTuple):
    """What the line of the figure shows."""

    fact: str
    """Where a fit tells it."""
    key: str
    title: str
    meaning: str


SELECTED = Line(
    "{}_contribution_by_layer",
    "mean_contribution",
    "Mean contribution",
    "the line the mean contribution score of the layer's selected neurons, with a gap where none was selected",
)
WHOLE_LAYER = Line(
    "mean_{}_score_by_layer",
    "mean_score",
    "Mean score",
    "the line the mean score over all neurons of the layer, since these fits do not tell that of the selected ones, "
    "which the paper shows",
)


def chosen_arm(arms: Sequence[Entry]) -> Entry:
    """The one arm of NeuronTune, ablations left out.

    Raises:
        UserError: If there is none or more than one.
    """
    tuned = lines.of_method(arms, "neurontune")
    found = [one for one in tuned if lines.ablation(one) == lines.WHOLE] or tuned
    if not found:
        raise UserError("figure3 shows NeuronTune's neurons, and no arm of these runs is of 'neurontune' alone.")
    if len(found) > 1:
        labels = ", ".join(f"{one.label} on {shown_model(one.model)}" for one in found)
        raise UserError(f"figure3 shows one arm, and these runs hold {labels}. Name one: --arms LABEL.")
    return found[0]


def series(entry: Entry) -> list[Series]:
    """Counts and scores of both sets, means over seeds.

    Raises:
        UserError: If no fit of the arm is there.
    """
    facts = _facts(entry)
    line = _line(facts)
    return [
        Series(
            name.capitalize(),
            [fmean(layer) for layer in zip(*(one[f"{name}_neurons_by_layer"] for one in facts), strict=True)],
            _scores([one[line.fact.format(name)] for one in facts]) if line else [],
        )
        for name in NAMES
    ]


def table(entry: Entry, found: Sequence[Series], run: Evidence, options: Options) -> PaperTable:
    """The numbers of the figure, one row a layer."""
    facts = _facts(entry)
    seeds = len(facts)
    headings = _headings(seeds, _line(facts) or SELECTED)
    columns: list[Sequence[float | None]] = []
    for one in found:
        columns += [one.counts, one.scores or [None] * len(one.counts)]
    rows = [
        Row(
            (str(layer),),
            tuple(
                Cell(heading, None if value is None else Estimate(value, None, None, seeds))
                for heading, value in zip(headings, values, strict=True)
            ),
        )
        for layer, values in enumerate(zip(*columns, strict=True))
    ]
    return PaperTable("figure3", caption(entry, found, run, options), ("Layer",), headings, tuple(rows))


def caption(entry: Entry, found: Sequence[Series], run: Evidence, options: Options) -> str:
    """What is shown, and where the bars are highest."""
    peaks = [f"{one.name.lower()} neurons peak at layer {_peak(one.counts)} ({max(one.counts):.4g})" for one in found]
    totals = " and ".join(f"{sum(one.counts):.4g} {one.name.lower()}" for one in found)
    facts = _facts(entry)
    line = _line(facts)
    shown = f", {line.meaning}" if line else "; neurons taken by lot have no scores"
    parts = [
        f"{totals} neurons of NeuronTune ({entry.label}) by layer, on {shown_model(entry.model)}, "
        f"{_fits(len(facts))}: {'; '.join(peaks)}; {judged(run).partition('; ')[2]}.",
        f"Bars are counts{shown}. Layers count from 0.",
    ]
    if options.beside_published and published_model(entry.model, options.published_model) == MAIN:
        parts.append(PUBLISHED)
    return " ".join(parts)


def _facts(entry: Entry) -> list[Mapping[str, Any]]:
    facts = [one for _, one in entry.diagnostics() if "safety_neurons_by_layer" in one]
    if not facts:
        raise UserError(f"Arm '{entry.label}' has no whole fit to show. Finish its run: the same command goes on.")
    told = [one[key] for one in facts for key in one if key.endswith("_by_layer")]
    if len({len(layers) for layers in told}) > 1 or not all(_is_whole(layers) for layers in told):
        raise UserError(
            f"The fits of arm '{entry.label}' tell of their layers in lists that do not match, or without numbers. "
            "Were they edited? Make the run anew in another folder."
        )
    return facts


def _is_whole(layers: Sequence[float | None]) -> bool:
    return all(value is None or math.isfinite(value) for value in layers)


def _line(facts: Sequence[Mapping[str, Any]]) -> Line | None:
    """The scores of the selected neurons where every fit tells them; None where neurons were not attributed."""
    told = [line for line in (SELECTED, WHOLE_LAYER) if all(line.fact.format(NAMES[0]) in one for one in facts)]
    return told[0] if told else None


def _fits(count: int) -> str:
    return "one fit" if count == 1 else f"mean over {count} fits"


def _headings(seeds: int, line: Line) -> tuple[Heading, ...]:
    return tuple(
        heading
        for name in NAMES
        for heading in (
            Heading(f"{name}_neurons", name.capitalize(), "Neurons", decimals=0 if seeds == 1 else 1),
            Heading(f"{name}_{line.key}", name.capitalize(), line.title, decimals=6),
        )
    )


def _scores(fits: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Means over the fits that have a neuron in the layer; None where none has."""
    layers = ([score for score in layer if score is not None] for layer in zip(*fits, strict=True))
    return [fmean(there) if there else None for there in layers]


def _peak(counts: Sequence[float]) -> int:
    return max(range(len(counts)), key=lambda layer: counts[layer])
