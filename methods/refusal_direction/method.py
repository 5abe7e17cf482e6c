"""The refusal direction as a method: find it, choose its layer on dev prompts, and add it or take it out."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData, Split
from benchmarks.errors import UserError
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fidelity, Fitted, Progress, Requirements
from methods.refusal_direction.questions import Contrast, Typical, check_data, draw, keep_typical, refusal_tokens
from methods.refusal_direction.settings import RefusalDirectionSettings

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from methods.metering import Meter


@dataclass(frozen=True, slots=True)
class FittedRefusalDirection:
    """A vector of the residual stream, and what is done with it."""

    direction: "Float[Tensor, ' width']"
    """Not normalised; in float32."""
    layer: int
    coefficient: float | None
    """How many times it is added at the input of block `layer`; None where it is ablated everywhere."""
    cost: Cost
    facts: Mapping[str, Any]

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """Steer or ablate while the model answers, at all positions of prompt and reply; no weight is touched."""
        import torch

        from methods.refusal_direction.direction import ablated
        from methods.residual import added

        if self.coefficient is None:
            change = ablated(model, self.direction, lambda: model.running is not None)
        else:
            vector = self.coefficient * self.direction
            change = added(model, {self.layer - 1: vector}, lambda state: torch.ones_like(state.positions))
        with change:
            yield model

    def save(self, folder: Path) -> None:
        """Write the vector as safetensors, the rest as JSON."""
        facts = {"layer": self.layer, "coefficient": self.coefficient}
        tensors = {"direction": self.direction}
        Artefact(RefusalDirection.name, self.cost, self.facts, facts, tensors).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        """Where the direction was found, how long it is, and what each candidate did to dev prompts."""
        return self.facts


class RefusalDirection:
    """Refusal direction: difference in means of harmful and harmless prompts, added or ablated (arXiv 2406.11717)."""

    name: ClassVar[str] = "refusal_direction"
    paper: ClassVar[str] = (
        "Arditi et al. 2024, Refusal in language models is mediated by a single direction, 2406.11717"
    )
    fidelity: ClassVar[Fidelity] = Fidelity.ADAPTED
    deviations: ClassVar[tuple[str, ...]] = (
        "operation=ablate removes refusals: it is an attack, here to measure what a defence rests on, and no defence.",
        "operation=add serves as a defence by steering every prompt alike, harmful or not (published: to show that "
        "refusal follows).",
        "The direction is read at the last prompt token (published: all template tokens after the user's words).",
        "Refusal tokens are those that begin the safe references of train prompts more often than the useful ones.",
        "Questions are those of the alignment data, stripped of attacks, sampled by the seed.",
        "The first block's input is no candidate: at template tokens it is the same for every prompt.",
        "Where the model refuses or answers too few questions of an intent, all are taken and the diagnostics say so "
        "(published: an error).",
        "Whether adding induces refusal is judged at the coefficient that is served (published: at 1).",
        "Where no direction induces refusal, of those that harm little as they are served the one that comes nearest "
        "to it is added, or the one with least bypass ablated, with a warning; where all harm, the fit fails "
        "(published: an error in both cases). The harm of adding is the divergence that is not about refusing.",
        "Every third layer is measured first, on a quarter of the dev prompts, then those around the best on all "
        "(published: every layer).",
        "Ablation acts on every block's input and output and on every attention output (published: inputs, attention "
        "and feed-forward outputs), which is the same wherever a block adds these two to its input.",
        "Only hooks are offered, no folded weights.",
    )
    needs: ClassVar[Requirements] = Requirements(activations=True)
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = RefusalDirectionSettings
    neutral: ClassVar[Mapping[str, Any]] = {"operation": "add", "coefficient": 0.0}
    small: ClassVar[Mapping[str, Any]] = {
        "train_samples": 8,
        "dev_samples": 4,
        "filtered": False,
        "max_kl": 100.0,  # a random network has no direction that leaves its first tokens alone
    }

    def __init__(self, settings: RefusalDirectionSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Refuse a layer that the model has not, and data without what is learnt from.

        Raises:
            UserError: Naming what was asked for and what is there.
        """
        wanted, last = self.settings.layer, len(model.blocks) - 1
        if wanted == 0 or wanted > last:
            raise UserError(
                f"'refusal_direction' is to act before block {wanted}, but '{model.name}' takes 1 to {last}. "
                "Give one of these, or -1 to let the dev prompts choose."
            )
        if not self._layers(model):
            raise UserError(
                f"'refusal_direction' may look before block 1 and later ones in the first {self.settings.deepest:g} of "
                f"the depth, but '{model.name}' has no such block among its {last + 1}. Give a larger deepest."
            )
        needs_scores = self.settings.filtered or self._is_selected
        check_data(model, data, needs_scores=needs_scores, needs_dev=self._is_selected)

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Means of train prompts; layer and place are chosen on dev prompts."""
        from methods.metering import Meter
        from methods.refusal_direction.direction import as_long_as, differences, random_like, shuffled

        rng, meter, given = random.Random(seed), Meter(), self.settings
        refusals = refusal_tokens(model, data)
        typical = [self._draw(model, data, Split.TRAIN, rng, refusals, meter)]
        train = typical[0].kept
        meter.count("means", len(train.harmful) + len(train.harmless))
        directions = differences(model, train.harmful, train.harmless, template=given.positions == "template")
        place, layer, facts = 0, given.layer, dict[str, Any]()
        if self._is_selected:
            typical.append(self._draw(model, data, Split.DEV, rng, refusals, meter))
            place, layer, facts = self._select(model, directions, typical[1].kept, refusals, meter, progress)
        direction = directions[place, layer - 1].float()
        if given.direction == "random":
            direction = random_like(direction, seed)
        elif given.direction == "shuffled_labels":
            lot = shuffled(train.harmful, train.harmless, seed)
            others = differences(model, *lot, template=given.positions == "template")
            direction = as_long_as(direction, others[place, layer - 1].float())
            meter.count("means", len(train.harmful) + len(train.harmless))
        facts |= {
            "layer": layer,
            "tokens_before_last": place,
            "length": round(float(direction.norm()), 6),
            "train_questions": [len(train.harmful), len(train.harmless)],
            "contrast": [text for one in typical for text in one.told],
            "warnings": [*(text for one in typical for text in one.fallbacks), *facts.get("warnings", ())],
            "refusal_tokens": list(refusals),
        }
        return FittedRefusalDirection(direction, layer, self._coefficient, meter.cost(), facts)

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        saved = Artefact.load(folder)
        return FittedRefusalDirection(
            saved.tensors["direction"], saved.facts["layer"], saved.facts["coefficient"], saved.cost, saved.diagnostics
        )

    @property
    def _is_selected(self) -> bool:
        return self.settings.layer == -1 or self.settings.positions == "template"

    @property
    def _coefficient(self) -> float | None:
        return self.settings.coefficient if self.settings.operation == "add" else None

    def _layers(self, model: ChatModel) -> list[int]:
        """Blocks before which the direction may be taken."""
        if self.settings.layer != -1:
            return [self.settings.layer]
        count = len(model.blocks)
        return [layer for layer in range(1, count) if layer < self.settings.deepest * count]

    def _draw(
        self,
        model: ChatModel,
        data: AlignmentData,
        split: Split,
        rng: random.Random,
        refusals: Sequence[int],
        meter: "Meter",
    ) -> Typical:
        """Questions of a split, those left out that the model treats untypically."""
        from methods.refusal_direction.selection import next_token, refusal_scores

        count = self.settings.train_samples if split is Split.TRAIN else self.settings.dev_samples
        asked = draw(model, data, split, count, rng)
        if not self.settings.filtered:
            return Typical(asked)
        meter.count("filtering", len(asked.harmful) + len(asked.harmless))
        scores = [refusal_scores(next_token(model, prompts), refusals) for prompts in asked]
        return keep_typical(asked, scores[0], scores[1], split)

    def _select(
        self,
        model: ChatModel,
        directions: "Float[Tensor, 'place layer width']",
        dev: Contrast,
        refusals: Sequence[int],
        meter: "Meter",
        progress: Progress,
    ) -> tuple[int, int, dict[str, Any]]:
        """Place and layer of the direction that the dev prompts choose, and facts about the choice."""
        from methods.refusal_direction.search import Search
        from methods.refusal_direction.selection import Bench, next_token, shortfalls

        meter.count("selection", len(dev.harmless))
        bench = Bench(dev, refusals, next_token(model, dev.harmless), self._coefficient)
        search = Search(model, bench, directions, self.settings.max_kl, meter, progress)
        found = search.run(self._layers(model), self.settings.layer_step)
        facts = {
            "dev_questions": [len(dev.harmful), len(dev.harmless)],
            "candidates": [one._asdict() for one in found.fine],
            "coarse_candidates": [one._asdict() for one in found.coarse],
            "warnings": shortfalls(found.best, self.settings.max_kl),
        }
        return found.best.place, found.best.layer, facts
