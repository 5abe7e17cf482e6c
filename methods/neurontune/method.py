"""NeuronTune as a method: pinpoint neurons, tune their factors, and serve the result."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData
from benchmarks.errors import UserError
from methods.artefact import Artefact
from methods.base import Block, ChatModel, Cost, Fidelity, Fitted, Progress, Requirements
from methods.neurontune.samples import check_data
from methods.neurontune.settings import NeuronTuneSettings

if TYPE_CHECKING:
    from torch import Tensor

    from methods.metering import Meter
    from methods.neurontune.pinpointing import Selection
    from methods.neurontune.scaling import Scaling
    from methods.passes import Passes


@dataclass(frozen=True, slots=True)
class FittedNeuronTune:
    """Two sets of neurons with their factors."""

    scaling: "Scaling"
    cost: Cost
    facts: Mapping[str, Any]

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """Scale the neurons by hooks: no weight is touched, so leaving restores everything."""
        from methods.neurontune.scaling import scaled

        with scaled(model, self.scaling):
            yield model

    def fold(self, weights: "Mapping[str, Tensor]", blocks: Sequence[Block]) -> "dict[str, Tensor]":
        """The same arm as an edit of the down-projections (exact: the factor of a neuron scales its column)."""
        return self.scaling.fold(weights, blocks)

    def save(self, folder: Path) -> None:
        """Write the neurons and factors as safetensors, the rest as JSON."""
        tensors = {
            "safety_block": self.scaling.safety.block,
            "safety_place": self.scaling.safety.place,
            "safety_factor": self.scaling.safety_factors,
            "utility_block": self.scaling.utility.block,
            "utility_place": self.scaling.utility.place,
            "utility_factor": self.scaling.utility_factors,
        }
        Artefact(NeuronTune.name, self.cost, self.facts, tensors=tensors).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        """Where the neurons lie, what the factors became, how the loss fell, what attribution cost."""
        return self.facts


class NeuronTune:
    """NeuronTune: neuron-level safety alignment (arXiv 2508.09473)."""

    name: ClassVar[str] = "neurontune"
    paper: ClassVar[str] = "NeuronTune: fine-grained neuron modulation for safety-utility alignment, arXiv 2508.09473"
    fidelity: ClassVar[Fidelity] = Fidelity.PAPER_ONLY
    deviations: ClassVar[tuple[str, ...]] = (
        "The authors published no code; every choice the paper leaves open is a setting with its source.",
        "Attribution moves all neurons of a layer together (equation 4 moves one neuron), and at the last prompt token "
        "alone, where the plain and the attacked prompt can be laid side by side.",
        "The objective is the mean log-probability of the safe response (equation 3 prints its probability).",
        "Benign questions are attributed under attack, from their plain form, as section 3.1 says; from activations of "
        "zero on plain questions where the data attacks no benign question, which the diagnostics then say.",
        "Of a response the first tokens count, for attribution and for tuning; prompts are whole.",
        "The numbers of neurons are the paper's for LLaMA3.1-8B as shares of all neurons.",
        "The inner utility step descends the utility loss (line 16 of algorithm 1 prints an ascent).",
        "Inner gradients are clipped by their norm; the outer step is line 21's, its rate set by the first gradient "
        "and the number of epochs (the paper names none); Adam is a setting.",
        "Local and global sets share no question (the paper does not say).",
        "Meta gradients are first order; factors stay between 0 and a limit; the best epoch is chosen on dev prompts.",
    )
    needs: ClassVar[Requirements] = Requirements(activations=True, gradients=True, neurons=True)
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = NeuronTuneSettings
    neutral: ClassVar[Mapping[str, Any]] = {"adaptive": False, "safety_scale": 1.0, "utility_scale": 1.0}
    small: ClassVar[Mapping[str, Any]] = {
        "safety_neurons": 6,
        "utility_neurons": 6,
        "utility_samples": 2,
        "path_steps": 4,
        "epochs": 2,
        "local_samples": 2,
        "global_samples": 4,
        "validation_samples": 2,
    }

    def __init__(self, settings: NeuronTuneSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Refuse neuron counts beyond what the model has, and data without what is learnt from.

        Raises:
            UserError: Naming what was asked for and what is there.
        """
        self._counts(model)
        check_data(data, self.settings)

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Attribution and adaptation on train prompts; the best epoch is chosen on dev prompts."""
        from methods.metering import Meter
        from methods.neurontune.attributing import STAGE, Attributing
        from methods.passes import Passes

        meter, passes = Meter(), Passes(self.settings.tokens_per_pass)
        stage = Attributing(model, data, self.settings, seed, passes, meter)
        selection, facts = stage.pinpoint(self._counts(model), progress)
        scaling, tuned = self._tune(model, data, selection, seed, (meter, passes), progress)
        samples = sum(facts.get("attributed_samples", ()))
        cost = replace(meter.cost(), forward_equivalents_per_sample=meter.stages[STAGE] / samples if samples else 0.0)
        told = {"tokens_per_pass_after_memory_ran_out": passes.tokens} if passes.has_shrunk else {}
        return FittedNeuronTune(scaling, cost, {**facts, **tuned, **told, **_describe(scaling, model)})

    def _tune(
        self,
        model: ChatModel,
        data: AlignmentData,
        selection: "Selection",
        seed: int,
        spent: tuple["Meter", "Passes"],
        progress: Progress,
    ) -> tuple["Scaling", dict[str, Any]]:
        """Stage 2: the factors of the chosen neurons, and facts about how they were tuned."""
        from methods.neurontune.modulation import Modulation
        from methods.neurontune.samples import chance, tuning_sets
        from methods.neurontune.scaling import Scaling
        from methods.neurontune.tuning_pairs import encode_sets

        sets = tuning_sets(data, self.settings, seed)
        modulation = Modulation(model, selection, encode_sets(model, sets, self.settings), self.settings, *spent)
        theta, facts = modulation.start(), {}
        if self.settings.adaptive and any(factors.numel() > 0 for factors in theta):
            tuned = modulation.run(chance(seed, "batches"), progress)
            theta = tuned.theta
            facts = {
                "tuning_prompts": {name: len(prompts) for name, prompts in sets._asdict().items()},
                "validation_loss": [round(loss, 5) for loss in tuned.validation],
                "best_epoch": tuned.best_epoch,
            }
        factors = (one.detach().cpu() for one in theta)
        return Scaling(selection.safety, selection.utility, *factors), facts

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        from methods.neurontune.pinpointing import Neurons
        from methods.neurontune.scaling import Scaling

        saved = Artefact.load(folder)
        scaling = Scaling(
            Neurons(saved.tensors["safety_block"], saved.tensors["safety_place"]),
            Neurons(saved.tensors["utility_block"], saved.tensors["utility_place"]),
            saved.tensors["safety_factor"],
            saved.tensors["utility_factor"],
        )
        return FittedNeuronTune(scaling, saved.cost, saved.diagnostics)

    def _counts(self, model: ChatModel) -> tuple[int, int]:
        from methods.neurontune.pinpointing import resolve_count

        layers, width = len(model.blocks), model.blocks[0].dense.neurons
        safety = resolve_count("safety_neurons", self.settings.safety_neurons, layers * width)
        utility = resolve_count("utility_neurons", self.settings.utility_neurons, layers * width)
        needed = max(safety, utility) if self.settings.overlap == "both" else safety + utility
        if needed > layers * width:
            raise UserError(
                f"'neurontune' is to scale {safety} safety and {utility} utility neurons, but '{model.name}' has "
                f"{layers * width} ({layers} layers of {width}). Ask for fewer, or for shares below 1."
            )
        return safety, utility


def _describe(scaling: "Scaling", model: ChatModel) -> dict[str, Any]:
    """Facts for the report: neurons per layer, factors' spread."""
    import torch

    layers = len(model.blocks)
    facts: dict[str, Any] = {}
    for name, neurons, factors in (
        ("safety", scaling.safety, scaling.safety_factors),
        ("utility", scaling.utility, scaling.utility_factors),
    ):
        facts[f"{name}_neurons_by_layer"] = torch.bincount(neurons.block, minlength=layers).tolist()
        if len(factors):
            quantiles = torch.quantile(factors, torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
            facts[f"{name}_factor_quantiles"] = [round(value, 4) for value in quantiles.tolist()]
    return facts
