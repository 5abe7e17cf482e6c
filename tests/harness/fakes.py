"""A model, an engine, methods and benchmarks that answer at once and without torch, for tests of the harness."""

# ruff: noqa: ANN401, ARG002, RUF009 - fakes take what real ones take and use little of it

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from benchmarks import registry as benchmark_registry
from benchmarks.base import AlignmentData, Benchmark, Choices, Intent, Kind, Message, Prompt, References, Reply, Split
from benchmarks.errors import UserError
from harness import registry as harness_registry
from harness.base import ModelSpec
from methods import registry as method_registry
from methods.base import Cost, GenerationSettings, Progress, PromptTokens, Requirements
from methods.default import Default
from methods.settings import setting


@dataclass
class FakeModel:
    """Refuses what is harmful, by rule. The knobs make it fail in the ways real models do."""

    name: str = "fake"
    offers: Requirements = Requirements(activations=True)
    weight: int = 0
    largest_batch: int = 1000
    dies_at_call: int = 0
    seconds: float = 0.0
    log_probability: float = -0.5
    prefix: str = ""
    batches: list[tuple[str, ...]] = field(default_factory=list)
    scored: list[tuple[str, str]] = field(default_factory=list)
    """Prefix of the model that scored, and the prompt."""
    dtype: str = "float32"
    device: Any = field(default_factory=lambda: SimpleNamespace(type="cpu"))
    blocks: tuple[()] = ()
    running: None = None

    @property
    def network(self) -> Any:
        return network(self.weight)

    def encode(self, prompt: Prompt) -> PromptTokens:
        ids = tuple(ord(letter) for letter in prompt.messages[-1].content)
        return PromptTokens(ids, len(ids) - 1)

    def encode_reply(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        if len(prompts) > self.largest_batch:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.batches.append(tuple(prompt.id for prompt in prompts))
        if self.dies_at_call and len(self.batches) >= self.dies_at_call:
            raise KeyboardInterrupt
        time.sleep(self.seconds)
        return [self._reply(prompt, settings) for prompt in prompts]

    def log_probabilities(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[list[Any]]:
        self.scored.extend((self.prefix, prompt.id) for prompt in prompts)
        return [
            [np.array([self.log_probability - ord(text[0]) / 1000] * len(text.split())) for text in texts]
            for texts in continuations
        ]

    def _reply(self, prompt: Prompt, settings: GenerationSettings) -> Reply:
        harmful = prompt.intent is Intent.HARMFUL
        words = f"{self.prefix}I'm sorry, I cannot help with that." if harmful else f"{self.prefix}Sure, {prompt.plain}"
        return Reply(prompt.id, words, tuple(range(settings.max_new_tokens)), seconds=0.5)


@cache
def network(weight: int) -> Any:
    """The same module for the same weight, so that whatever is done to it can be seen."""
    import torch

    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, weight)
    return module


@dataclass
class FakeEngine:
    """Hands out the model that the test holds."""

    model: FakeModel
    name: str = "fake"
    offers: Requirements = Requirements(activations=True)

    def load(self, spec: ModelSpec) -> FakeModel:
        self.model.name = spec.name
        return self.model


@dataclass(frozen=True)
class PrefixSettings:
    """Of `Prefix`."""

    strength: int = setting(1, "How often the prefix is said.", source="our choice", low=0, high=9)


@dataclass
class FittedPrefix:
    prefix: str
    cost: Cost = Cost(seconds=2.0, forward_equivalents=10.0, peak_bytes=1024)

    @contextmanager
    def applied(self, model: FakeModel) -> Iterator[FakeModel]:
        yield replace(model, prefix=self.prefix)

    def save(self, folder: Path) -> None:
        (folder / "prefix.json").write_text(json.dumps(self.prefix))

    def diagnostics(self) -> Mapping[str, Any]:
        return {"length": len(self.prefix), "loss": [0.5, 0.25]}


class Prefix(Default):
    """Says something first, another thing for every seed."""

    name: ClassVar[str] = "prefix"
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = PrefixSettings
    fits: ClassVar[list[int]] = []

    def fit(self, model: Any, data: AlignmentData, seed: int, progress: Progress) -> Any:
        self.fits.append(seed)
        progress("learning", 1, 2)
        return FittedPrefix(f"Seed {seed}. " * self.settings.strength)

    @staticmethod
    def load(folder: Path) -> Any:
        return FittedPrefix(json.loads((folder / "prefix.json").read_text()))


class Broken(Default):
    """Fails while fitting."""

    name: ClassVar[str] = "broken"

    def fit(self, model: Any, data: AlignmentData, seed: int, progress: Progress) -> Any:
        raise ZeroDivisionError("no neuron left")


class Nan(Default):
    """Diverges while fitting."""

    name: ClassVar[str] = "nan"

    def fit(self, model: Any, data: AlignmentData, seed: int, progress: Progress) -> Any:
        fitted = FittedPrefix("")
        fitted.diagnostics = lambda: {"loss": [1.0, float("nan")]}  # type: ignore[method-assign]
        return fitted


class Picky(Default):
    """Finds fault with every model."""

    name: ClassVar[str] = "picky"

    def check(self, model: Any, data: AlignmentData) -> None:
        raise UserError(f"'picky' does not like '{model.name}'.")


class Demanding(Default):
    """Needs what no fake engine offers."""

    name: ClassVar[str] = "demanding"
    needs: ClassVar[Requirements] = Requirements(gradients=True, weights=True)


def prompt(number: int, intent: Intent, split: Split = Split.TEST, choices: Choices | None = None) -> Prompt:
    question = f"how do I do thing {number} " + "very " * number + "well"
    return Prompt(
        f"{intent}-{number}", (Message("user", question),), intent, question, question, "fakes", split, choices=choices
    )


def benchmark(name: str, intent: Intent, count: int, kind: Kind = Kind.GENERATION) -> Benchmark:
    choices = Choices(("one", "two", "three"), 0) if kind is Kind.MULTIPLE_CHOICE else None
    prompts = tuple(prompt(number, intent, choices=choices) for number in range(count))
    return Benchmark(name, name, kind, intent, prompts, "fakes", "1", "CC0")


BENCHMARKS = {
    "bad": lambda: benchmark("bad", Intent.HARMFUL, 10),
    "good": lambda: benchmark("good", Intent.BENIGN, 6),
    "facts": lambda: benchmark("facts", Intent.BENIGN, 4, Kind.MULTIPLE_CHOICE),
    "empty": lambda: benchmark("empty", Intent.BENIGN, 0),
}
METHODS = {kind.name: kind for kind in (Default, Prefix, Broken, Nan, Picky, Demanding)}


def answered(asked: Prompt) -> Prompt:
    """The prompt with a useful reply, if it is benign."""
    return replace(asked, references=References(useful="Like this.")) if asked.intent is Intent.BENIGN else asked


def alignment() -> AlignmentData:
    benign = answered(prompt(22, Intent.BENIGN, Split.DEV))
    return AlignmentData("fakes", (prompt(21, Intent.HARMFUL, Split.TRAIN),), (benign,))


def install(model: FakeModel) -> None:
    """Put the fakes into the tables, beside what is there."""
    vars(benchmark_registry)["BENCHMARKS"].update(BENCHMARKS)
    vars(benchmark_registry)["ALIGNMENT"]["fakes"] = alignment
    vars(method_registry)["METHODS"].update(METHODS)
    vars(harness_registry)["ENGINES"]["fake"] = lambda: FakeEngine(model)
