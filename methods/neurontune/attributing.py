"""Stage 1 of NeuronTune: attribute the samples of both kinds, and choose the neurons by their scores."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.base import AlignmentData, Prompt
from methods.base import ChatModel, Progress
from methods.metering import Meter
from methods.neurontune.attribution import Attribution
from methods.neurontune.cases import attribute_benign, attribute_harmful, safe_response
from methods.neurontune.pinpointing import Selection, contributions, join, select, select_at_random, shuffle_labels
from methods.neurontune.samples import attacked_harmful, safety_samples, utility_samples
from methods.neurontune.settings import NeuronTuneSettings
from methods.passes import Passes

STAGE = "attribution"


class Pinpointed(NamedTuple):
    """Two sets of neurons, and how they were found."""

    selection: Selection
    facts: dict[str, Any]


@dataclass(slots=True)
class Attributing:
    """Stage 1 for one model and its data."""

    model: ChatModel
    data: AlignmentData
    settings: NeuronTuneSettings
    seed: int
    passes: Passes
    meter: Meter
    facts: dict[str, Any] = field(default_factory=dict)

    def pinpoint(self, counts: tuple[int, int], progress: Progress) -> Pinpointed:
        """The neurons with the highest scores; with the ablation, neurons from anywhere."""
        layers, width = len(self.model.blocks), self.model.blocks[0].dense.neurons
        if self.settings.pinpointing == "random":
            generator = torch.Generator().manual_seed(self.seed)
            return Pinpointed(select_at_random(layers, width, counts, generator), {})
        safety, utility = self._attribute(counts, progress)
        if self.settings.pinpointing == "shuffled_labels":
            safety, utility = shuffle_labels(safety, utility, self.seed)
        scores = [self._joined(found, (layers, width)) for found in (safety, utility)]
        selection = select(scores[0], scores[1], counts, self.settings.overlap, self.settings.refill)
        for name, found, joined, chosen in zip(
            ("safety", "utility"), (safety, utility), scores, (selection.safety, selection.utility), strict=True
        ):
            self.facts[f"{name}_contribution_by_layer"] = contributions(joined, chosen)
            if found:
                self.facts[f"mean_{name}_score_by_layer"] = [round(float(row.mean()), 8) for row in joined]
        errors = [one.completeness_error for one in (*safety, *utility)]
        return Pinpointed(selection, {
            "model_neurons": layers * width,
            "wanted_neurons": list(counts),
            "contested_neurons": selection.contested,
            "attributed_samples": [len(safety), len(utility)],
            "completeness_error": max(errors, default=0.0),
            **self.facts,
        })  # fmt: skip

    def _attribute(self, counts: tuple[int, int], progress: Progress) -> list[list[Attribution]]:
        """Scores of every safety sample and of every utility sample; none for a set that is to have no neuron.

        Labels can only be shuffled where both kinds are there.
        """
        wanted = (True, True) if self.settings.pinpointing == "shuffled_labels" else tuple(map(bool, counts))
        harmful = safety_samples(self.data, self.settings, self.seed) if wanted[0] else []
        benign, way = utility_samples(self.data, self.settings, self.seed)
        if wanted[1]:
            self._tell_way(way)
        work = [
            *(partial(self._harmful, prompt) for prompt in harmful),
            *(partial(self._benign, prompt, way) for prompt in benign if wanted[1]),
        ]
        found = []
        for number, attribute in enumerate(work):
            progress("attributing", number, len(work))
            found.append(attribute())
            self.meter.count(STAGE, found[-1].forward_equivalents)
        progress("attributing", len(work), len(work))
        return [found[: len(harmful)], found[len(harmful) :]]

    def _harmful(self, prompt: Prompt) -> Attribution:
        refusals = [one.references.safe for one in attacked_harmful(self.data) if one.references.safe]
        response = safe_response(self.model, prompt, self.settings, refusals)
        if self.settings.safe_response == "own":
            replaced = self.facts.get("own_replies_replaced", 0)
            self.facts["own_replies_replaced"] = replaced + int(response.is_replaced)
        found = attribute_harmful(self.model, prompt, response.text, self.settings, self.passes)
        return found._replace(forward_equivalents=found.forward_equivalents + response.passes)

    def _benign(self, prompt: Prompt, way: str) -> Attribution:
        return attribute_benign(self.model, prompt, way, self.settings, self.passes)

    def _tell_way(self, way: str) -> None:
        asked = self.settings.utility_attribution
        reason = "" if way == asked else f", for the data has no attacked benign train prompt to use {asked} on"
        self.facts["utility_attribution"] = f"{way}{reason}"

    def _joined(self, found: list[Attribution], shape: tuple[int, int]) -> Float[Tensor, "layer neuron"]:
        if not found:
            return torch.zeros(shape)
        return join(torch.stack([one.scores for one in found]), self.settings.aggregation, self.settings.score_sign)
