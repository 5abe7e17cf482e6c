"""SCANS as a method: vectors and a reference from anchors, a threshold from dev prompts, steering while answering."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData, Intent, Prompt
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fidelity, Fitted, Progress, Requirements
from methods.scans.anchors import check_data, draw_anchors
from methods.scans.settings import ScansSettings

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from methods.scans.classification import Classifier
    from methods.scans.steering import Steering
    from methods.scans.vectors import Landmarks


@dataclass(frozen=True, slots=True)
class FittedScans:
    """Vectors to add, and what tells for which prompts."""

    steering: "Steering"
    cost: Cost
    facts: Mapping[str, Any]

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """Steer by hooks: no weight is touched, so leaving restores everything."""
        from methods.scans.steering import Steered

        with Steered(model, self.steering).hooked() as protected:
            yield protected

    def save(self, folder: Path) -> None:
        """Write vectors and reference as safetensors, the rest as JSON."""
        import torch

        steering = self.steering
        tensors = {
            "vectors": torch.stack(list(steering.vectors.values())),
            "reference": steering.classifier.reference,
        }
        facts = {
            "layers": list(steering.vectors),
            "transition": steering.classifier.start,
            "threshold": steering.threshold,
            "safe_sign": steering.safe_sign,
        }
        Artefact(Scans.name, self.cost, self.facts, facts, tensors).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        """Where and how strongly it steers, and how well it tells dev prompts apart."""
        return self.facts


class Scans:
    """SCANS: safety-conscious activation steering (arXiv 2408.11491)."""

    name: ClassVar[str] = "scans"
    paper: ClassVar[str] = (
        "SCANS: Mitigating the Exaggerated Safety for LLMs via Safety-Conscious Activation Steering, arXiv 2408.11491"
    )
    fidelity: ClassVar[Fidelity] = Fidelity.ADAPTED
    deviations: ClassVar[tuple[str, ...]] = (
        "One threshold is chosen on dev prompts (the authors' code has one for each test set, by its name).",
        "All steered blocks together move a prompt as far as the anchors' means lie apart (published: an absolute "
        "3.5 or 4 at each, which is far on one model and hardly anything on another).",
        "The transition goes to 'Sure' as a reply would begin with it (published: after a space, as Llama-2 replies).",
        "Half of the anchors are attacked questions (published: plain ones).",
        "Steered layers are resolved against depth (published: 10 to 19 for 32 and for 40 layers).",
        "Prompts are compared from the first steered layer to the top, the published rule of the 7B models.",
        "The top layer is read before the final norm (published: after it).",
        "Of a conversation the last user's turn ends what is classified, system turns and earlier turns included "
        "(published: single questions).",
    )
    needs: ClassVar[Requirements] = Requirements(activations=True)
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = ScansSettings
    neutral: ClassVar[Mapping[str, Any]] = {"alpha": 0.0}
    small: ClassVar[Mapping[str, Any]] = {"anchors": 4}

    def __init__(self, settings: ScansSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Refuse layers that the model has not, and data with too few anchors or no dev prompts to choose on.

        Raises:
            UserError: Naming what was asked for and what is there.
        """
        from methods.scans.layers import given_range

        given_range(self.settings.layers, len(model.blocks))
        check_data(data, self.settings)

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Vectors and reference from train prompts; the threshold is chosen, or measured, on dev prompts."""
        from methods.metering import Meter
        from methods.scans.classification import Classifier
        from methods.scans.steering import Steering
        from methods.scans.vectors import read_landmarks

        meter = Meter()
        anchors = draw_anchors(data, self.settings, random.Random(seed))
        count = len(anchors.harmful) + len(anchors.benign)
        progress("reading anchors", 0, count)
        harmful, benign = (read_landmarks(model, prompts, self.settings.transition) for prompts in anchors)
        progress("reading anchors", count, count)
        meter.count("anchors", count)
        vectors, facts = self._vectors(model, harmful, benign, seed)
        reference = harmful.transition.mean(dim=0)[min(vectors) :]
        classifier = Classifier(reference, self.settings.transition)
        threshold, measured = self._tell_apart(classifier, model, data.dev, progress)
        if data.dev:
            meter.count("dev", len(data.dev))
        steering = Steering(vectors, classifier, threshold, -1 if self.settings.negative_steering else 0)
        cost = replace(meter.cost(), extra_passes_per_reply=1.0)
        return FittedScans(steering, cost, {**facts, **measured})

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        from methods.scans.classification import Classifier
        from methods.scans.steering import Steering

        saved = Artefact.load(folder)
        steering = Steering(
            dict(zip(saved.facts["layers"], saved.tensors["vectors"], strict=True)),
            Classifier(saved.tensors["reference"], saved.facts["transition"]),
            saved.facts["threshold"],
            saved.facts["safe_sign"],
        )
        return FittedScans(steering, saved.cost, saved.diagnostics)

    def _vectors(
        self, model: ChatModel, harmful: "Landmarks", benign: "Landmarks", seed: int
    ) -> tuple[dict[int, "Tensor"], dict[str, Any]]:
        """What to add after each steered block (equation: alpha times a unit vector), and facts about it."""
        from methods.scans.layers import choose_layers
        from methods.scans.vectors import random_vectors, refusal_vectors, shuffled_vectors

        units = refusal_vectors(harmful.last, benign.last)
        layers = choose_layers(model, units, self.settings)
        if self.settings.direction == "random":
            units = random_vectors(len(units), units.shape[1], seed)
        elif self.settings.direction == "shuffled_labels":
            units = shuffled_vectors(harmful.last, benign.last, seed)
        steps = self.settings.alpha * self._unit(harmful, benign, len(layers.indices))
        facts = {
            "layers": list(layers.indices),
            "layer_rule": layers.rule,
            "step_by_layer": [round(float(steps[index]), 4) for index in layers.indices],
        }
        return {index: steps[index] * units[index] for index in layers.indices}, facts

    def _unit(self, harmful: "Landmarks", benign: "Landmarks", steered: int) -> "Float[Tensor, ' layer']":
        """The length that an alpha of 1 adds after each block, of `steered` ones."""
        import torch

        from methods.scans.vectors import median_norms, separations

        if self.settings.strength == "separation":
            return separations(harmful.last, benign.last) / steered
        norms = median_norms(torch.cat([harmful.last, benign.last]))
        return norms if self.settings.strength == "relative" else torch.ones_like(norms)

    def _tell_apart(
        self, classifier: "Classifier", model: ChatModel, dev: Sequence[Prompt], progress: Progress
    ) -> tuple[float, dict[str, Any]]:
        """The threshold, and how well it tells dev prompts apart, as far as there are any."""
        if not dev:
            return self.settings.threshold, {"threshold": self.settings.threshold, "dev_called_unsafe": {}}
        import torch

        from methods.scans.classification import balanced_accuracy, choose_threshold

        progress("classifying dev prompts", 0, len(dev))
        similarities = classifier.similarities(model, dev)
        progress("classifying dev prompts", len(dev), len(dev))
        is_harmful = torch.tensor([prompt.intent is Intent.HARMFUL for prompt in dev])
        threshold = self.settings.threshold
        if self.settings.threshold_rule == "dev":
            threshold = choose_threshold(similarities, is_harmful)
        facts = {
            "threshold": threshold,
            "dev_called_unsafe": _share_unsafe(dev, (similarities.double() >= threshold).tolist()),
        }
        sides = {"harmful": similarities[is_harmful], "benign": similarities[~is_harmful]}
        if all(map(len, sides.values())):
            facts["dev_balanced_accuracy"] = balanced_accuracy(similarities, is_harmful, threshold)
        for intent, chosen in ((intent, found) for intent, found in sides.items() if len(found)):
            quantiles = torch.quantile(chosen, torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
            facts[f"{intent}_similarity_quantiles"] = [round(value, 4) for value in quantiles.tolist()]
        return threshold, facts


def _share_unsafe(prompts: Sequence[Prompt], is_unsafe: Sequence[bool]) -> dict[str, float]:
    """By intent and disguise."""
    groups: dict[str, list[bool]] = {}
    for prompt, unsafe in zip(prompts, is_unsafe, strict=True):
        groups.setdefault(f"{'attacked' if prompt.attack else 'plain'} {prompt.intent}", []).append(unsafe)
    return {name: round(sum(found) / len(found), 4) for name, found in sorted(groups.items())}
