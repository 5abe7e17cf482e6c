"""DINM as a method: draw instances, edit, and serve the edited weights, the suffix, or both."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData
from methods.artefact import Artefact
from methods.base import Block, ChatModel, Cost, Fidelity, Fitted, Progress, Requirements
from methods.dinm.instances import check_data, encode, sample
from methods.dinm.settings import SUFFIX, DinmSettings, resolved
from methods.safety_prompt import Reworded, Words, reworded

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class FittedDinm:
    """An edit of weights: what is added to each, in float32."""

    deltas: "Mapping[str, Tensor]"
    cost: Cost
    facts: Mapping[str, Any]

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """The model with the edited weights in place of its own."""
        from methods.editing import edited

        with edited(model.network, self.fold(dict(model.network.named_parameters()), model.blocks)):
            yield model

    def fold(self, weights: "Mapping[str, Tensor]", blocks: Sequence[Block]) -> "dict[str, Tensor]":  # noqa: ARG002
        """Added in float32 and rounded once; in bfloat16 less than 0.2 % of an entry's size may vanish."""
        import torch

        def added(weight: "Tensor", delta: "Tensor") -> "Tensor":
            there = delta.to(weight.device)
            # An entry that is not edited keeps its bits: adding zero would make 0 of -0.
            return torch.where(there == 0, weight, (weight.float() + there).to(weight.dtype))

        return {name: added(weights[name].detach(), delta) for name, delta in self.deltas.items()}

    def save(self, folder: Path) -> None:
        """Write the deltas as safetensors, the rest as JSON."""
        self.artefact(has_suffix=False).save(folder)

    def artefact(self, *, has_suffix: bool) -> Artefact:
        """What is written."""
        return Artefact(Dinm.name, self.cost, self.facts, {"has_suffix": has_suffix}, self.deltas)

    def diagnostics(self) -> Mapping[str, Any]:
        """Which layers were located and how, how the loss fell, how much changed."""
        return self.facts


@dataclass(frozen=True, slots=True)
class FittedSuffixed:
    """An edit, or none, with the suffix after every prompt: more than an edit of weights, so not foldable."""

    edit: FittedDinm

    @property
    def cost(self) -> Cost:
        """Of the edit; every reply costs the suffix's tokens."""
        return self.edit.cost

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """The edited model, asked everything with the suffix."""
        with self.edit.applied(model) as protected:
            yield Reworded(protected, Words(after=SUFFIX))

    def save(self, folder: Path) -> None:
        """Write the deltas as safetensors, the rest as JSON."""
        self.edit.artefact(has_suffix=True).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        """Of the edit."""
        return self.edit.facts


class Dinm:
    """DINM: detoxifying with intraoperative neural monitoring (arXiv 2403.14472)."""

    name: ClassVar[str] = "dinm"
    paper: ClassVar[str] = "Detoxifying large language models via knowledge editing, arXiv 2403.14472"
    fidelity: ClassVar[Fidelity] = Fidelity.ADAPTED
    deviations: ClassVar[tuple[str, ...]] = (
        "The chat template is used everywhere; the published code sends raw text.",
        "One edit, averaged over a few train instances, is kept for all prompts; the paper edits anew for each.",
        "Where the code departs from what the paper describes, switches choose; by default they follow the paper.",
        "Layers are compared by block outputs; the code takes the final norm's output for the last layer.",
        "The edit may be limited to a share of the entries; NeuronTune's table 1 names neither entries nor rule.",
        "For a beginning-of-text token stands the first token of the chat template.",
        "Replies compared on their own are padded on the right; in the code the side depends on what ran before.",
    )
    needs: ClassVar[Requirements] = Requirements(activations=True, gradients=True, weights=True, neurons=True)
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = DinmSettings
    neutral: ClassVar[Mapping[str, Any]] = {"steps": 0, "intervention": "edit"}
    small: ClassVar[Mapping[str, Any]] = {"instances": 2, "steps": 3}

    def __init__(self, settings: DinmSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:  # noqa: ARG002
        """Refuse data that holds too few instances.

        Raises:
            UserError: Naming what is missing.
        """
        check_data(data, self.settings.instances)

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Edit on train prompts; nothing is chosen on dev prompts."""
        from methods.metering import Meter

        settings, meter = resolved(self.settings), Meter()
        instances = sample(data, settings.instances, random.Random(seed))
        deltas: Mapping[str, Tensor] = {}
        facts: Mapping[str, Any] = {}
        if "edit" in settings.intervention:
            from methods.dinm.averaging import edit

            lessons = [encode(model, instance, settings) for instance in instances]
            deltas, facts = edit(model, lessons, settings, seed, meter, progress)
        fitted = FittedDinm(deltas, meter.cost(), facts)
        if "suffix" not in settings.intervention:
            return fitted
        prompt = instances[0].attacked
        extra = len(model.encode(reworded(prompt, Words(after=SUFFIX))).ids) - len(model.encode(prompt).ids)
        return FittedSuffixed(replace(fitted, cost=replace(fitted.cost, extra_tokens_per_reply=extra)))

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        saved = Artefact.load(folder)
        fitted = FittedDinm(saved.tensors, saved.cost, saved.diagnostics)
        return FittedSuffixed(fitted) if saved.facts["has_suffix"] else fitted
