"""CAVGAN as a method: read hidden states, train a detector per layer, keep the best, and serve behind it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData, Prompt
from benchmarks.errors import UserError
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fidelity, Fitted, Progress, Requirements
from methods.cavgan.questions import Questions, check_data, draw_questions, shares_by_source, sources
from methods.cavgan.settings import CavganSettings

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from methods.cavgan.answering import Detector
    from methods.cavgan.validation import Trained
    from methods.metering import Meter


@dataclass(frozen=True, slots=True)
class FittedCavgan:
    """A detector, and what is done about a question that it flags."""

    detector: "Detector"
    threshold: float
    instruction: str
    cost: Cost
    facts: Mapping[str, Any]

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """The model behind the detector; the network itself is left alone."""
        from methods.cavgan.answering import Guarded

        yield Guarded(model, self.detector, self.threshold, self.instruction)

    def save(self, folder: Path) -> None:
        """Write the discriminator as safetensors, the rest as JSON; the generator has served its purpose."""
        facts = {
            "layer": self.detector.layer,
            "site": self.detector.site,
            "threshold": self.threshold,
            "instruction": self.instruction,
        }
        Artefact(Cavgan.name, self.cost, self.facts, facts, self.detector.discriminator.state_dict()).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        """Which layer was chosen and how well each separates dev questions, how training went, what is flagged."""
        return self.facts


class Cavgan:
    """CAVGAN: a detector trained against an adversary; what it flags is asked again with a safety instruction."""

    name: ClassVar[str] = "cavgan"
    paper: ClassVar[str] = (
        "CAVGAN: unifying jailbreak and defense of LLMs via generative adversarial attacks on their internal "
        "representations, arXiv 2507.06043"
    )
    fidelity: ClassVar[Fidelity] = Fidelity.PAPER_ONLY
    deviations: ClassVar[tuple[str, ...]] = (
        "Made from descriptions of the paper; the authors' code could not be read, and sizes of networks and batches "
        "are a third party's.",
        "The state is that of the last prompt token (published: of the first generated one), which tells the classes "
        "apart better on dev questions.",
        "Half of the questions are attacked ones, in both classes where there are such.",
        "D is P(malicious) throughout; the paper's equations switch between that and P(benign).",
        "A perturbation is at most a tenth as long as the state (the paper bounds it and leaves the bound open).",
        "The networks learn from states of the chat template's prompts, each read once (a third party's code trains "
        "on raw text and at every step of a generation).",
        "The epoch with the best balanced accuracy on dev questions is kept, at the layer with the best AUROC on them; "
        "of equal layers the one with the widest margin.",
        "Where benign train questions are of several sources, detectors that lack one source in turn choose layer and "
        "epoch, by the source that is told apart worst; the one that serves has learnt from all.",
        "The question is checked before the reply is written, which gives the replies that starting anew gives.",
    )
    needs: ClassVar[Requirements] = Requirements(activations=True)
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = CavganSettings
    neutral: ClassVar[Mapping[str, Any]] = {"threshold": 1.0, "threshold_rule": "fixed"}
    small: ClassVar[Mapping[str, Any]] = {"questions": 8, "epochs": 3}

    def __init__(self, settings: CavganSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Refuse a layer beyond what the model has, and data that lacks a class of questions.

        Raises:
            UserError: Naming what was asked for and what is there.
        """
        if self.settings.layer > len(model.blocks):
            raise UserError(
                f"Setting 'layer' of 'cavgan' is {self.settings.layer}, but '{model.name}' has {len(model.blocks)} "
                "blocks. Give a number up to that, or 0 to choose on dev prompts."
            )
        check_data(data, self.settings)

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Learn from train questions; layer, epoch and (by rule) threshold are chosen on dev questions."""
        import torch

        from methods.cavgan.answering import Detector
        from methods.cavgan.training import probabilities
        from methods.cavgan.validation import best_layer
        from methods.metering import Meter

        meter = Meter()
        questions = draw_questions(data, self.settings, random.Random(seed))
        states = self._read(model, questions, meter, progress)
        found = self._train(questions, states, seed, model, progress)
        layer = best_layer(found)
        best = found[layer].best
        flagged = [(probabilities(best.discriminator, group[:, layer - 1]) > best.threshold) for group in states[2:]]
        malicious, benign = (
            shares_by_source(prompts, marks.tolist()) for prompts, marks in zip(questions[2:], flagged, strict=True)
        )
        facts = {
            **_describe(layer, found, sources(questions.train_benign)),
            "flagged_share_of_malicious_dev_questions": malicious,
            "flagged_share_of_benign_dev_questions": benign,
        }
        cost = self._per_reply(meter.cost(), model, questions, torch.cat(flagged).tolist())
        detector = Detector(best.discriminator, layer, self.settings.site)
        return FittedCavgan(detector, best.threshold, self.settings.instruction, cost, facts)

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        from methods.cavgan.answering import Detector
        from methods.cavgan.networks import Discriminator

        saved = Artefact.load(folder)
        discriminator = Discriminator(saved.tensors["layers.0.weight"].shape[1])
        discriminator.load_state_dict(dict(saved.tensors))
        detector = Detector(discriminator, saved.facts["layer"], saved.facts["site"])
        return FittedCavgan(
            detector, saved.facts["threshold"], saved.facts["instruction"], saved.cost, saved.diagnostics
        )

    def _read(
        self, model: ChatModel, questions: Questions, meter: "Meter", progress: Progress
    ) -> list["Float[Tensor, 'question layer width']"]:
        """Hidden states of every group of questions, in their order."""
        from methods.cavgan.features import passes, question_states

        states: list[Tensor] = []
        for number, prompts in enumerate(questions):
            progress("reading states", number, len(questions))
            states.append(question_states(model, prompts, self.settings.site))
            meter.count("reading states", passes(model, prompts, self.settings.site))
        progress("reading states", len(questions), len(questions))
        return states

    def _train(
        self,
        questions: Questions,
        states: Sequence["Float[Tensor, 'question layer width']"],
        seed: int,
        model: ChatModel,
        progress: Progress,
    ) -> dict[int, "Trained"]:
        """A detector for every layer that is tried, lowest first."""
        from methods.cavgan.validation import Groups, trained

        layers = [self.settings.layer] if self.settings.layer else candidate_layers(len(model.blocks))
        kinds = [_rows_by_source(prompts) for prompts in (questions.train_benign, questions.dev_benign)]
        found: dict[int, Trained] = {}
        for number, layer in enumerate(layers):
            progress("training detectors", number, len(layers))
            here = [group[:, layer - 1] for group in states]
            benign = [
                {name: group[rows] for name, rows in kind.items()}
                for group, kind in zip((here[1], here[3]), kinds, strict=True)
            ]
            groups = Groups(here[0], benign[0], here[2], benign[1])
            found[layer] = trained(groups, self.settings, seed, model.device)
        progress("training detectors", len(layers), len(layers))
        return found

    def _per_reply(self, cost: Cost, model: ChatModel, questions: Questions, flagged: Sequence[bool]) -> Cost:
        """The cost, with what a reply to a dev question takes more: the check, and the instruction where flagged."""
        from methods.cavgan.answering import with_instruction
        from methods.cavgan.features import passes

        dev = [*questions.dev_malicious, *questions.dev_benign]
        tokens = sum(
            len(model.encode(with_instruction(prompt, self.settings.instruction)).ids) - len(model.encode(prompt).ids)
            for prompt, is_flagged in zip(dev, flagged, strict=True)
            if is_flagged
        )
        return replace(
            cost,
            extra_tokens_per_reply=tokens / len(dev),
            extra_passes_per_reply=passes(model, dev, self.settings.site) / len(dev),
        )


def candidate_layers(depth: int) -> list[int]:
    """Numbers of blocks between 0.4 and 0.9 of the depth, ends included; one at least."""
    lowest = -(-2 * depth // 5)
    return list(range(lowest, max(lowest, 9 * depth // 10) + 1))


def _rows_by_source(prompts: Sequence[Prompt]) -> dict[str, list[int]]:
    return {name: [row for row, one in enumerate(prompts) if one.source == name] for name in sources(prompts)}


def _describe(layer: int, found: Mapping[int, "Trained"], learnt: Sequence[str]) -> dict[str, Any]:
    """Facts for the report; lists run over epochs."""
    chosen = found[layer]
    return {
        "layer": layer,
        "area_under_curve_by_layer": {str(key): round(one.verdict.area_under_curve, 4) for key, one in found.items()},
        "margin_by_layer": {str(key): round(one.verdict.margin, 4) for key, one in found.items()},
        "epoch": chosen.number,
        "threshold": chosen.best.threshold,
        "benign_sources_held_out_in_turn": list(learnt) if len(learnt) > 1 else [],
        "dev_balanced_accuracy": [round(one.accuracy, 4) for one in chosen.verdicts],
        "discriminator_loss": [round(epoch.losses.discriminator, 5) for epoch in chosen.epochs],
        "generator_loss": [round(epoch.losses.generator, 5) for epoch in chosen.epochs],
    }
