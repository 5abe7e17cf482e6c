"""DINM as a method: draw instances and edit, or leave that to every prompt; with the suffix or without."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData, Prompt
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fidelity, Fitted, Progress, Requirements
from methods.dinm.fitted import FittedPerInstance, FittedSuffixed
from methods.dinm.instances import check_data, encode, kinds, sample
from methods.dinm.settings import SUFFIX, DinmSettings, resolved
from methods.dinm.weight_edit import NAME, FittedDinm
from methods.safety_prompt import Words, reworded

if TYPE_CHECKING:
    from torch import Tensor


class Dinm:
    """DINM: detoxifying with intraoperative neural monitoring (arXiv 2403.14472)."""

    name: ClassVar[str] = NAME
    paper: ClassVar[str] = "Detoxifying large language models via knowledge editing, arXiv 2403.14472"
    fidelity: ClassVar[Fidelity] = Fidelity.ADAPTED
    deviations: ClassVar[tuple[str, ...]] = (
        "The chat template is used everywhere; the published code sends raw text.",
        "By default one edit, averaged over a few train instances, is kept for all prompts. The paper edits anew for "
        "each test instance, from itself; protocol=edit_per_instance does so, and learns from test prompts.",
        "An edit of its own is located by its own instance; the code keeps the layer of whatever instance came first.",
        "Where the code departs from what the paper describes, switches choose; by default they follow the paper. "
        "variant=faithful follows the code, with one instance, and the sentence in training and in answering.",
        "Layers are compared by block outputs after the prompt; the code takes the replies on their own, padding among "
        "them, and the final norm's output for the last layer (variant=faithful does so).",
        "Where data has no attacked question, a plain one is learnt from; where it has no unsafe reply, the safe one "
        "is compared with the model's own.",
        "The edit may be limited to a share of the entries; NeuronTune's table 1 names neither entries nor rule.",
        "For a beginning-of-text token stands the first token of the chat template.",
        "Replies compared on their own are padded on the right; in the code the side depends on what ran before.",
    )
    needs: ClassVar[Requirements] = Requirements(activations=True, gradients=True, weights=True, neurons=True)
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = DinmSettings
    neutral: ClassVar[Mapping[str, Any]] = {"steps": 0, "intervention": "edit"}
    small: ClassVar[Mapping[str, Any]] = {"instances": 2, "steps": 3, "learning_rate": 0.01}

    def __init__(self, settings: DinmSettings) -> None:
        self.settings = settings

    @property
    def learns_from_prompts(self) -> bool:
        """Whether every prompt is answered after an edit of its own."""
        return self.settings.protocol == "edit_per_instance" and "edit" in resolved(self.settings).intervention

    def check(self, model: ChatModel, data: AlignmentData) -> None:  # noqa: ARG002
        """Refuse data that holds too few instances.

        Raises:
            UserError: Naming what is missing.
        """
        if not self.learns_from_prompts:
            check_data(data, resolved(self.settings).instances)

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Edit on train prompts, choosing nothing on dev prompts; nothing yet where each prompt has its own edit."""
        settings = resolved(self.settings)
        if self.learns_from_prompts:
            cost = Cost(extra_passes_per_reply=_most_passes(settings))
            return self._suffixed(FittedPerInstance(settings, seed, cost), model, data.train[:1])
        from methods.metering import Meter

        meter = Meter()
        instances = sample(data, settings.instances, random.Random(seed))
        deltas: Mapping[str, Tensor] = {}
        facts: Mapping[str, Any] = {}
        if "edit" in settings.intervention:
            from methods.dinm.averaging import edit

            lessons = [encode(model, instance, settings) for instance in instances]
            deltas, found = edit(model, lessons, settings, seed, meter, progress)
            facts = {**kinds(instances), **found}
            if own := facts["unsafe_replies"].count("the model's own"):
                meter.count("own replies", own)
        return self._suffixed(FittedDinm(deltas, meter.cost(), facts), model, [instances[0].harmful])

    def _suffixed(
        self, fitted: FittedDinm | FittedPerInstance, model: ChatModel, prompts: Sequence[Prompt]
    ) -> FittedDinm | FittedPerInstance | FittedSuffixed:
        """With the suffix, if it is asked for; its tokens are counted on one prompt."""
        if "suffix" not in resolved(self.settings).intervention:
            return fitted
        words = Words(after=SUFFIX)
        extra = sum(len(model.encode(reworded(one, words)).ids) - len(model.encode(one).ids) for one in prompts)
        return FittedSuffixed(replace(fitted, cost=replace(fitted.cost, extra_tokens_per_reply=extra)))

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        saved = Artefact.load(folder)
        recipe = saved.facts.get("per_instance")
        fitted: FittedDinm | FittedPerInstance = FittedDinm(saved.tensors, saved.cost, saved.diagnostics)
        if recipe:
            fitted = FittedPerInstance(DinmSettings(**recipe["settings"]), recipe["seed"], saved.cost)
        return FittedSuffixed(fitted) if saved.facts["has_suffix"] else fitted


def _most_passes(settings: DinmSettings) -> float:
    """Forward equivalents of an edit for one prompt, if the first layer of all is located; a later one costs less."""
    is_masked = settings.edit_fraction < 1
    masking = {"gradient_top": 2, "neuron_top": 2, "wanda": 1}.get(settings.mask_rule, 0) if is_masked else 0
    backward = 2 if settings.constraint == "differentiated" else 1
    return 2 + masking + 1 + settings.steps * (2 + backward)
