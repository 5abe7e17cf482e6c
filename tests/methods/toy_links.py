"""Toy methods to chain: one that stands before the model, one that sets weights."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from benchmarks.base import AlignmentData, Prompt, Reply
from benchmarks.errors import UserError
from methods.base import Block, ChatModel, Cost, Fidelity, Fitted, GenerationSettings, Progress, Requirements
from methods.editing import edited
from methods.settings import setting
from methods.wrapped import Wrapped


@dataclass(frozen=True, slots=True)
class WordSettings:
    word: str = setting("first", "What is said after every reply.", source="this test")


@dataclass(frozen=True, slots=True)
class FittedWord:
    word: str
    cost: Cost

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        yield Saying(model, self.word)

    def save(self, folder: Path) -> None:
        (folder / "word.json").write_text(json.dumps([self.word, asdict(self.cost)]))

    def diagnostics(self) -> Mapping[str, Any]:
        return {"word": self.word}


class Saying(Wrapped):
    def __init__(self, inner: ChatModel, word: str) -> None:
        super().__init__(inner)
        self.word = word

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        replies = self.inner.generate(prompts, settings)
        return [replace(reply, text=f"{reply.text} {self.word}") for reply in replies]


class Word:
    """Says a word after every reply; its fit counts what it is fitted on."""

    name: ClassVar[str] = "word"
    paper: ClassVar[str] = "none"
    fidelity: ClassVar[Fidelity] = Fidelity.FAITHFUL
    deviations: ClassVar[tuple[str, ...]] = ("It says what it is told.",)
    needs: ClassVar[Requirements] = Requirements(gradients=True)
    is_seeded: ClassVar[bool] = False
    settings_type: ClassVar[type] = WordSettings
    neutral: ClassVar[Mapping[str, Any]] = {"word": ""}
    small: ClassVar[Mapping[str, Any]] = {}
    seen: ClassVar[list[ChatModel]] = []
    """The models that it was fitted on."""

    def __init__(self, settings: WordSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:  # noqa: ARG002
        if self.settings.word == "forbidden":
            raise UserError("That word is not to be said.")

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:  # noqa: ARG002
        self.seen.append(model)
        progress("choosing a word", seed, 10)
        if self.settings.word == "trouble":
            raise ZeroDivisionError
        return FittedWord(self.settings.word, Cost(1.5, 2.0, 100, {"saying": 2.0}, 0.5, 3.0, 0.25))

    @staticmethod
    def load(folder: Path) -> Fitted:
        word, cost = json.loads((folder / "word.json").read_text())
        return FittedWord(word, Cost(**cost))


@dataclass(frozen=True, slots=True)
class ShiftSettings:
    by: float = setting(0.05, "What is added to every entry.", source="this test")


@dataclass(frozen=True, slots=True)
class FittedShift:
    by: float
    cost: Cost = Cost(0.5, 1.0, 700, {"shifting": 1.0})  # noqa: RUF009 - frozen

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        with edited(model.network, self.fold(dict(model.network.named_parameters()), model.blocks)):
            yield model

    def fold(self, weights: Mapping[str, Tensor], blocks: Sequence[Block]) -> dict[str, Tensor]:
        return {block.dense.down_weight: weights[block.dense.down_weight].detach() + self.by for block in blocks[:2]}

    def save(self, folder: Path) -> None:
        (folder / "shift.json").write_text(json.dumps(self.by))

    def diagnostics(self) -> Mapping[str, Any]:
        return {}


class Shift:
    """Adds to weights."""

    name: ClassVar[str] = "shift.er"
    paper: ClassVar[str] = "none"
    fidelity: ClassVar[Fidelity] = Fidelity.ADAPTED
    deviations: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Requirements] = Requirements(weights=True)
    is_seeded: ClassVar[bool] = False
    settings_type: ClassVar[type] = ShiftSettings
    neutral: ClassVar[Mapping[str, Any]] = {"by": 0.0}
    small: ClassVar[Mapping[str, Any]] = {"by": 0.01}

    def __init__(self, settings: ShiftSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        pass

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:  # noqa: ARG002
        return FittedShift(self.settings.by)

    @staticmethod
    def load(folder: Path) -> Fitted:
        return FittedShift(json.loads((folder / "shift.json").read_text()))
