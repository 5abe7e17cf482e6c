"""Arms that each break one law of the conformance kit and no other, with the check and the words that catch them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.base import Message, Prompt, Reply
from harness.conformance.material import questions
from methods.base import Block, ChatModel, Fitted, ForwardState, GenerationSettings, Requirements
from methods.editing import edited
from methods.residual import changed_outputs
from methods.wrapped import Wrapped
from tests.harness.broken_methods import BROKEN, FIRST, WEIGHT, caught, leave_hook, weight_of
from tests.harness.sound_method import BLOCK, FittedSound, Sound


class FittedWrapping(FittedSound):
    """Stands before the model, with one of the wrappers below."""

    wrapper: ClassVar[type[Wrapped]]

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        with super().applied(model) as protected:
            yield self.wrapper(protected)


def wrapping(wrapper: type[Wrapped]) -> type[FittedSound]:
    return type("FittedWith", (FittedWrapping,), {"wrapper": wrapper})


class Dropping(Wrapped):
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        return self.inner.generate(prompts, settings)[:-1]


@caught("order", "8 prompts got 7 replies")
class DropsReplies(Sound):
    fitted_type: ClassVar[type[FittedSound]] = wrapping(Dropping)


class Reversing(Wrapped):
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        return self.inner.generate(prompts, settings)[::-1]


@caught("order", f"reply 0 is to '{questions()[-1].id}', prompt 0 is '{FIRST}'")
class ReordersReplies(Sound):
    fitted_type: ClassVar[type[FittedSound]] = wrapping(Reversing)


class FittedCrowded(FittedSound):
    def weights(self, state: ForwardState) -> Tensor:
        return state.is_after_prompt / len(state.prompts)


@caught("batch", f"asked alone, the reply to '{FIRST}' differs from token 0 on")
class DividesByTheBatch(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedCrowded


class FittedColumn(FittedSound):
    def weights(self, state: ForwardState) -> Tensor:
        weights = torch.zeros(state.positions.shape)
        weights[:, 40:] = 1.0
        return weights


@caught("batch", f"asked alone, the reply to '{FIRST}' differs from token 3 on")
class CountsPadding(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedColumn


@dataclass
class FittedRemembering(FittedSound):
    seen: set[str] = field(default_factory=set)

    def weights(self, state: ForwardState) -> Tensor:
        here = {prompt.id for prompt in state.prompts}
        self.seen |= here
        return state.is_after_prompt * (1.0 + len(self.seen - here))


@caught("history", f"after other prompts, the reply to '{FIRST}' differs from token 0 on")
class RemembersPrompts(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedRemembering


class FittedTallying(FittedSound):
    def weights(self, state: ForwardState) -> Tensor:
        self.facts["last"] = state.prompts[0].category
        return super().weights(state)


@caught(
    "unchanged_by_answering",
    f"after answering test prompts, 'facts.last' of artefact.json is \"{questions()[0].category}\", was absent",
)
class LearnsFromTestPrompts(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedTallying


class FittedLeaking(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        with super().applied(model) as protected:
            yield protected
        leave_hook(model)  # not reached after an exception


@caught("restored_after_use", "'applied' left 1 hook on model.layers.1")
class LeaksHook(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedLeaking


class FittedRounding(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        weight = weight_of(model)
        original = weight.clone()
        weight[0, 0] += self.strength
        try:
            yield model
        except Exception:
            weight.copy_(original)
            raise
        weight[0, 0] -= self.strength
        weight[0, 1] += 0.25


@caught("restored_after_use", f"'applied' changed {WEIGHT}, by up to 0.25")
class RestoresWeightsRoughly(Sound):
    needs: ClassVar[Requirements] = Requirements(activations=True, weights=True)
    fitted_type: ClassVar[type[FittedSound]] = FittedRounding


class FittedCareless(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        handle = leave_hook(model)
        with super().applied(model) as protected:
            yield protected
        handle.remove()


@caught("restored_after_error", "an exception inside 'applied' left 1 hook on model.layers.1")
class RestoresWithoutErrorsAlone(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedCareless


class Hooking(Wrapped):
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        handle = leave_hook(self)
        replies = self.inner.generate(prompts, settings)
        handle.remove()
        return replies


@caught("restored_after_error", "an exception while generating left 1 hook on model.layers.1")
class HooksWithoutFinally(Sound):
    fitted_type: ClassVar[type[FittedSound]] = wrapping(Hooking)


class Stale(Wrapped):
    is_busy = False

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        limit = GenerationSettings(1) if self.is_busy else settings
        self.is_busy = True
        replies = self.inner.generate(prompts, limit)
        self.is_busy = False
        return replies


@caught("restored_after_error", f"after an exception while generating, the reply to '{FIRST}' differs from token 1 on")
class StaleAfterError(Sound):
    fitted_type: ClassVar[type[FittedSound]] = wrapping(Stale)


class FittedFolding(FittedSound):
    def fold(self, weights: Mapping[str, Tensor], blocks: Sequence[Block]) -> dict[str, Tensor]:  # noqa: ARG002
        return {WEIGHT: weights[WEIGHT] * 1.5}


@caught("fold", f"folded, the reply to '{FIRST}' differs from token 0 on")
class FoldsAnotherEdit(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedFolding


class Rereading(Wrapped):
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        self.inner.generate(prompts, settings)
        return self.inner.generate(prompts, settings)


@caught("cost_of_replies", "replies took 1 more passes over a prompt each, and the cost says 0")
class HidesPasses(Sound):
    fitted_type: ClassVar[type[FittedSound]] = wrapping(Rereading)


class Wordy(Wrapped):
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        polite = Message("system", "Please be kind.")
        longer = [replace(prompt, messages=(polite, *prompt.messages)) for prompt in prompts]
        return self.inner.generate(longer, settings)


class FittedWordy(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        yield Wordy(model) if self.strength else model


@caught("cost_of_replies", "prompts were 6 tokens longer each, and the cost says 0")
class HidesTokens(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedWordy


@caught("needs", "the model's 'blocks' was used, and 'needs' names nothing that it is for")
class NeedsMoreThanItSays(Sound):
    needs: ClassVar[Requirements] = Requirements()


@caught("needs", "the fit differentiated through the network, and 'needs' does not name gradients")
class NeedsGradients(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:  # noqa: ARG002
        words = model.network.get_input_embeddings()(torch.tensor([[1, 5, 6]])).requires_grad_()  # type: ignore[operator]
        model.network(inputs_embeds=words).logits.sum().backward()
        return fitted


class FittedEditing(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        with edited(model.network, {WEIGHT: weight_of(model) * (1 + self.strength)}):
            yield model


@caught("needs", "weights are edited while the arm is applied, and 'needs' does not name them")
class NeedsWeights(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedEditing


@caught("needs", "hooks are set while the arm is applied, and 'needs' does not name activations")
class NeedsActivations(Sound):
    needs: ClassVar[Requirements] = Requirements(weights=True)


class FittedPrivate(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        assert model._network is model.network  # type: ignore[attr-defined]
        with super().applied(model) as protected:
            yield protected


@caught("nested", "it raised AttributeError: 'Wrapped' object has no attribute '_network'")
class UsesPrivateParts(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedPrivate


class FittedNumpy(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        def change(_: Block, stream: Tensor) -> Tensor:
            return torch.from_numpy(stream.numpy() + self.strength * self.direction.numpy())

        with changed_outputs([model.blocks[BLOCK]], change):
            yield model


@caught("half_precision", "it raised TypeError: Got unsupported ScalarType BFloat16")
class ThinksInNumpy(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedNumpy


class NeedsDenseBlocks(Sound):
    """Sound on every family but mixtures of experts, whose lack of neurons it should have named."""

    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:  # noqa: ARG002
        return replace(fitted, facts={"neurons": [block.dense.neurons for block in model.blocks]})


ALL_BROKEN = tuple(BROKEN)
