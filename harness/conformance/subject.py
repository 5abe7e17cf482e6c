"""The method under check: made with small settings, fitted once for all checks that look at a fit."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from benchmarks.base import Prompt
from benchmarks.errors import UserError
from harness.conformance.answers import Answers, answers
from harness.conformance.counting import Passes, counted
from harness.conformance.families import tiny
from harness.conformance.left_behind import left_behind
from harness.conformance.material import alignment, questions
from harness.conformance.random_state import elsewhere, standing
from harness.integrity import NetworkState
from harness.transformers_model import TransformersModel
from methods.base import ChatModel, Fitted, Method
from methods.settings import build_settings

T = TypeVar("T")
HOME = "llama"
"""The family of all checks, unless another is asked for."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Violation(Exception):
    """A law is broken. The text says what was seen."""


class Refused(Exception):
    """The method refuses the model, as it may, before any work. The text is its reason."""


class NothingToCheck(Exception):
    """There is nothing to look at. The text says why."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit, and what was seen of it."""

    fitted: Fitted
    folder: Path
    """Where it was saved."""
    left_behind: str
    """What it left in the network, in words."""
    passes: Passes
    seconds: float
    random_state: tuple[str, ...]
    """Names of the global random generators that the fit moved."""


class Subject:
    """A method with the settings of a check, on one family. Every model and every arm that it hands out is new."""

    def __init__(self, kind: type[Method], given: Mapping[str, Any] = _NOTHING, family: str = HOME) -> None:
        self.kind, self.given, self.family = kind, given, family
        self._scratch = tempfile.TemporaryDirectory(prefix="equipoise-check-")
        self._numbers = count()

    def on(self, family: str) -> "Subject":
        """The same method on another family."""
        return Subject(self.kind, self.given, family)

    def model(self) -> TransformersModel:
        """A new tiny model; all of one family are equal."""
        return tiny(self.family)

    def method(self, changes: Mapping[str, Any] = _NOTHING) -> Method:
        """The method with its small settings, those given over them, and `changes` over both."""
        values = {**self.kind.small, **self.given, **changes}
        return self.kind(build_settings(self.kind.settings_type, values, self.kind.name))

    def fit(self, model: ChatModel, changes: Mapping[str, Any] = _NOTHING, seed: int = 0) -> Fitted:
        """Fit as a run does.

        Raises:
            Refused: If the model does not offer what the method needs, or the method's own check says no.
        """
        missing = self.kind.needs.missing_from(model.offers)
        if missing:
            raise Refused(f"needs {' and '.join(missing)}, which {model.name} does not offer")
        method = self.method(changes)
        try:
            method.check(model, alignment())
        except UserError as error:
            raise Refused(str(error)) from error
        return method.fit(model, alignment(), seed, _silent)

    @property
    def shared(self) -> Fit:
        """The fit that checks look at.

        Raises:
            Refused: As `fit`.
            NothingToCheck: If fitting, saving or loading failed.
        """
        if isinstance(self.tried, Refused):
            raise self.tried
        if isinstance(self.tried, Exception):
            raise NothingToCheck("there is no fit to look at")
        return self.tried

    @cached_property
    def tried(self) -> Fit | Exception:
        """The first fit, or what went wrong."""
        return attempt(self._observed)

    def arm(self) -> Fitted:
        """The shared fit, read back as a run reads it."""
        return self.kind.load(self.shared.folder)

    def answered(self, prompts: Sequence[Prompt]) -> Answers:
        """What the arm says on a model that nobody has used."""
        with self.arm().applied(self.model()) as protected:
            return answers(protected, prompts)

    @cached_property
    def usual(self) -> Answers:
        """What the arm says to the kit's questions, asked together."""
        return self.answered(questions())

    @cached_property
    def plain(self) -> Answers:
        """What the model says to them without the arm."""
        return answers(self.model(), questions())

    def save(self, fitted: Fitted) -> Path:
        """Into a new folder."""
        folder = Path(self._scratch.name) / f"{next(self._numbers)}"
        folder.mkdir()
        fitted.save(folder)
        return folder

    def _observed(self) -> Fit:
        model = self.model()
        before, started = NetworkState.of(model), time.monotonic()
        with elsewhere(seed=1001), counted(model) as passes:
            generators = standing()
            fitted = self.fit(model)
            moved = tuple(name for name, state in standing().items() if state != generators[name])
        seconds = time.monotonic() - started
        left = left_behind(before, model, self.model())
        folder = self.save(fitted)
        self.kind.load(folder)
        return Fit(fitted, folder, left, passes, seconds, moved)


def attempt(work: Callable[[], T]) -> T | Exception:
    """The result, or the exception."""
    try:
        return work()
    # A broad except, as in the runner and for the same reason: a method is other people's code and may fail in any way.
    except Exception as error:
        return error


def _silent(stage: str, done: int, total: int) -> None:
    """Progress is not looked at."""
