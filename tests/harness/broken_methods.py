"""Methods that each break one law of the conformance kit and no other, with the check and the words that catch them."""

# ruff: noqa: ANN401, ARG002 - toys take what real methods take and use little of it

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from benchmarks.base import AlignmentData
from benchmarks.errors import UserError
from benchmarks.registry import load_benchmark
from harness.conformance.material import questions
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fitted, ForwardState
from methods.settings import Range, setting
from tests.harness.sound_method import BLOCK, FittedSound, Sound

FIRST = questions()[0].id
TEST_PROMPT = load_benchmark("embedded_harmful").prompts[0]
WEIGHT = "model.layers.1.self_attn.o_proj.weight"


class Broken(NamedTuple):
    kind: type[Sound]
    check: str
    reason: str


BROKEN: list[Broken] = []


def caught(check: str, reason: str) -> Callable[[type[Sound]], type[Sound]]:
    """By which check, with which words after `on tiny-llama, `."""

    def note(kind: type[Sound]) -> type[Sound]:
        BROKEN.append(Broken(kind, check, reason))
        return kind

    return note


def leave_hook(model: ChatModel) -> Any:
    return model.blocks[BLOCK].module.register_forward_hook(lambda *_: None)


def weight_of(model: ChatModel) -> Tensor:
    return dict(model.network.named_parameters())[WEIGHT].data


@caught("contract", "'fit' has parameters (self, model, data) where (self, model, data, seed, progress) is needed")
class WrongSignature(Sound):
    def fit(self, model: ChatModel, data: AlignmentData) -> Fitted:  # type: ignore[override]
        return super().fit(model, data, 0, lambda *_: None)


@caught("settings", "setting 'strength' has no source")
class Sourceless(Sound):
    @dataclass(frozen=True, slots=True)
    class Settings:
        strength: float = setting(2.0, "How much.", source=" ")

    settings_type: ClassVar[type] = Settings


@caught("settings", "setting 'strength': Setting 'strength' of 'sound' is 90.0; it must be a number from 0 to 9.")
class SearchesTooFar(Sound):
    @dataclass(frozen=True, slots=True)
    class Settings:
        strength: float = setting(2.0, "How much.", source="us", low=0, high=9, search=Range(1, 90))

    settings_type: ClassVar[type] = Settings


@caught("settings", "'neutral': Setting 'strength' of 'sound' is -1; it must be a number from 0 to 9.")
class NegativeNeutral(Sound):
    neutral: ClassVar[Mapping[str, Any]] = {"strength": -1}


@caught("fits", "it raised ZeroDivisionError: no neuron left")
class Failing(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        raise ZeroDivisionError("no neuron left")


@caught("fits", "'small' must fit a tiny llama, but the method refuses it: Nobody likes 'tiny-llama'.")
class Picky(Sound):
    def check(self, model: ChatModel, data: AlignmentData) -> None:
        raise UserError(f"Nobody likes '{model.name}'.")


@caught("fits", "'check' ran the network; it is to refuse before any work")
class WorksBeforehand(Sound):
    def check(self, model: ChatModel, data: AlignmentData) -> None:
        model.network(input_ids=torch.tensor([[1, 2]]))


@caught("restored_after_fit", "the fit left 2 hooks on model.layers.1")
class HookLeftByFit(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        leave_hook(model), leave_hook(model)
        return fitted


@caught("restored_after_fit", f"the fit changed {WEIGHT}, by up to 0.5")
class WeightChangedByFit(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        weight_of(model)[0, 0] += 0.5
        return fitted


@caught("restored_after_fit", f"the fit left another requires_grad on {WEIGHT}")
class GradientsLeftOn(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        dict(model.network.named_parameters())[WEIGHT].requires_grad_()
        return fitted


@caught("random_state", "the fit moved the global random state of torch")
class Reseeding(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        torch.manual_seed(seed)
        return fitted


@caught("deterministic", "fitted again with the same seed, 'facts.draw' of artefact.json is 2, was 1")
class NeverTheSame(Sound):
    is_seeded: ClassVar[bool] = True
    draws: ClassVar[Iterator[int]] = itertools.count(1)

    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, facts={"draw": next(self.draws)})


@caught(
    "unseeded",
    "fitted with another seed though 'is_seeded' is False, 'facts.strength' of artefact.json is 3.0, was 2.0",
)
class SecretlySeeded(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, strength=fitted.strength + seed if fitted.strength else 0.0)


@caught("learning_material", "'sound' asked for test prompts (benchmark 'embedded_attacked') while it was fitted.")
class LoadsBenchmark(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        load_benchmark("embedded_attacked")
        return fitted


@caught("learning_material", f"the fit put the test prompt '{TEST_PROMPT.id}' to the model")
class ReadsTestPrompt(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        model.encode(TEST_PROMPT)
        return fitted


@caught("learning_material", f"the artefact holds the test question '{TEST_PROMPT.plain}'")
class KeepsTestQuestion(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, facts={"hard": [f"it said: {TEST_PROMPT.plain}"]})


class FittedPickling(FittedSound):
    def save(self, folder: Path) -> None:
        super().save(folder)
        torch.save(self.direction, folder / "direction.pt")


@caught("plain_artefact", "in the artefact, direction.pt is neither safetensors nor JSON")
class Pickling(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedPickling


class FittedDisguised(FittedSound):
    def save(self, folder: Path) -> None:
        super().save(folder)
        (folder / "more.json").write_bytes(b"import os")


@caught("plain_artefact", "in the artefact, more.json is no JSON: Expecting value: line 1 column 1 (char 0)")
class Disguised(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedDisguised


class FittedOverflown(FittedSound):
    def save(self, folder: Path) -> None:
        trace = torch.tensor([1.0, float("inf")])
        tensors = {"direction": self.direction, "trace": trace}
        Artefact("sound", self.cost, {}, {"strength": self.strength}, tensors).save(folder)


@caught("plain_artefact", "in the artefact, tensors.safetensors holds numbers that are not finite in tensor 'trace'")
class Overflown(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedOverflown


@caught("plain_artefact", "in the artefact, artefact.json holds NaN")
class NotANumber(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, facts={"loss": float("nan")})


class FittedChatty(FittedSound):
    def diagnostics(self) -> Mapping[str, Any]:
        return {"direction": self.direction}


@caught("plain_artefact", "diagnostics cannot be written as JSON: Object of type Tensor is not JSON serializable")
class Chatty(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedChatty


@caught("round_trip", "saved, loaded and saved again, 'facts.strength' of artefact.json is 1.0, was 2.0")
class Forgetful(Sound):
    @classmethod
    def load(cls, folder: Path) -> Fitted:
        fitted = super().load(folder)
        assert isinstance(fitted, FittedSound)
        return replace(fitted, strength=1.0)


class FittedUnsaved(FittedSound):
    unsaved: float = 0.0

    def weights(self, state: ForwardState) -> Tensor:
        return state.is_after_prompt * (1.0 + self.unsaved)


@caught("round_trip", f"saved and loaded, the reply to '{FIRST}' differs from token 0 on")
class Unsaved(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedUnsaved

    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        assert isinstance(fitted, FittedUnsaved)
        fitted.unsaved = 9.0
        return fitted


@caught("cost_of_fitting", "the fit ran the network, and says that it took 0 seconds")
class Free(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, cost=Cost())


@caught("cost_of_fitting", "the fit says that it took 1 forward equivalents; counted were 3.41748 to 8")
class Understated(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, cost=replace(fitted.cost, forward_equivalents=1.0))


@caught("cost_of_fitting", "the cost has stage 'reading' -8")
class Negative(Sound):
    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        return replace(fitted, cost=replace(fitted.cost, stages={"reading": -8.0}))


@caught("strength_zero", f"with neutral settings the reply to '{FIRST}' differs from token 0 on")
class NeverNeutral(Sound):
    neutral: ClassVar[Mapping[str, Any]] = {"strength": 1.0}


class FittedIdle(FittedSound):
    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        yield model


@caught("acts", "with the settings of 'small' every answer is the model's own; choose some that act")
class Idle(Sound):
    fitted_type: ClassVar[type[FittedSound]] = FittedIdle
