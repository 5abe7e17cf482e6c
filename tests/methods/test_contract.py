# ruff: noqa: ANN401, ARG001, ARG002, ARG003, ARG004, ARG005 - broken classes take what whole ones take and use none of it

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from benchmarks.base import AlignmentData
from benchmarks.plugins import PluginError
from benchmarks.registry import load_alignment, load_benchmark
from methods.base import ChatModel, Fidelity, Fitted, Progress, Requirements
from methods.cards import card
from methods.contract import faults, made
from methods.default import DefaultSettings
from methods.registry import METHODS, method_type
from methods.settings import setting
from methods.unusable import unusable


@dataclass(frozen=True)
class Settings:
    strength: float = setting(1.0, "How much.", source="our choice")


class Whole:
    name: ClassVar[str] = "whole"
    paper: ClassVar[str] = "none"
    fidelity: ClassVar[Fidelity] = Fidelity.FAITHFUL
    deviations: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Requirements] = Requirements()
    is_seeded: ClassVar[bool] = False
    settings_type: ClassVar[type] = Settings
    neutral: ClassVar[Mapping[str, Any]] = {}
    small: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None: ...

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        raise ZeroDivisionError

    @staticmethod
    def load(folder: Path) -> Fitted:
        raise ZeroDivisionError


def but(name: str, value: Any) -> type:
    return type("Other", (Whole,), {name: value})


def without(name: str) -> type:
    return type("Other", (), {known: value for known, value in vars(Whole).items() if known != name})


@dataclass
class Melting:
    strength: float = setting(1.0, "How much.", source="our choice")


@dataclass(frozen=True)
class Plain:
    strength: float = 1.0
    half: float = field(default=1.0, metadata={"meaning": "How much."})


@pytest.mark.parametrize("name", [*METHODS, "scans+neurontune"])
def test_everything_built_in_has_the_structure_of_a_method(name: str) -> None:
    assert faults(method_type(name)) == []


def test_a_class_with_every_member_has_no_fault() -> None:
    assert faults(Whole) == []


def test_parameters_that_have_defaults_and_a_class_method_that_loads_are_no_faults() -> None:
    class Generous(Whole):
        def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress, extra: int = 3) -> Fitted:
            raise ZeroDivisionError

        @classmethod
        def load(cls, folder: Path) -> Fitted:
            raise ZeroDivisionError

    assert faults(Generous) == []


@pytest.mark.parametrize(
    "name",
    ["paper", "fidelity", "deviations", "needs", "is_seeded", "settings_type", "neutral", "small", "fit", "load"],
)
def test_a_member_that_is_not_there_is_named(name: str) -> None:
    assert faults(without(name)) == [f"it lacks '{name}'"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (lambda: Whole, ["it is function, not a class"]),
        (Whole(None), ["it is Whole, not a class"]),
        (but("name", 3), ["its 'name' is int, not str"]),
        (but("name", "a b"), ["its name 'a b' is not made of letters, digits, '_', '.' and '-'"]),
        (but("fidelity", "faithful"), ["its 'fidelity' is str, not Fidelity"]),
        (but("deviations", ["one"]), ["its 'deviations' is list, not tuple"]),
        (but("deviations", (1,)), ["its 'deviations' are not sentences"]),
        (but("needs", ("gradients",)), ["its 'needs' is tuple, not Requirements"]),
        (but("is_seeded", 1), ["its 'is_seeded' is int, not bool"]),
        (but("neutral", None), ["its 'neutral' is NoneType, not Mapping"]),
        (but("settings_type", Settings()), ["its 'settings_type' is Settings, not type"]),
        (but("settings_type", Melting), ["its settings_type 'Melting' is no frozen dataclass"]),
        (but("settings_type", int), ["its settings_type 'int' is no frozen dataclass"]),
        (
            but("settings_type", Plain),
            [f"its setting '{name}' is not made with methods.settings.setting" for name in ("strength", "half")],
        ),
        (but("fit", 3), ["its 'fit' is int, not a function"]),
        (
            but("fit", lambda self, model, data: None),
            ["'fit' has parameters (self, model, data) where (self, model, data, seed, progress) is needed"],
        ),
        (
            but("fit", lambda self, model, data, progress, seed: None),
            [
                "'fit' has parameters (self, model, data, progress, seed) where "
                "(self, model, data, seed, progress) is needed"
            ],
        ),
        (but("check", lambda self: None), ["'check' has parameters (self) where (self, model, data) is needed"]),
        (but("load", lambda self, folder: None), ["'load' has parameters (self, folder) where (folder) is needed"]),
        (but("__init__", lambda self: None), ["'__init__' has parameters (self) where (self, settings) is needed"]),
    ],
)
def test_what_is_wrong_with_a_method_is_said_in_a_clause(kind: object, told: list[str]) -> None:
    assert faults(kind) == told


def test_all_faults_are_told_at_once() -> None:
    kind = type("Other", (Whole,), {"name": None, "check": None})
    assert faults(kind) == ["its 'name' is NoneType, not str", "its 'check' is NoneType, not a function"]
    assert faults(object) == [
        "it lacks 'name', 'paper', 'fidelity', 'deviations', 'needs', 'is_seeded', 'settings_type', 'neutral', "
        "'small', 'check', 'fit', 'load'",
        "'__init__' has parameters (self, args, kwargs) where (self, settings) is needed",
    ]


def test_a_method_is_made_with_its_settings() -> None:
    method = made(Whole, Settings(2.0))
    assert method.settings == Settings(2.0)


def reach(self: Any, settings: Any) -> None:
    load_benchmark("embedded_benign")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            lambda self, settings: 1 / 0,
            "Method 'whole' failed while it was made: ZeroDivisionError: division by zero.",
        ),
        (
            lambda self, settings: None,
            "Method 'whole' cannot be used: its 'settings' are not those that it was made with.",
        ),
        (
            reach,
            "Method 'whole' failed while it was made: WithheldError: Method 'whole' asked for test prompts "
            "(benchmark 'embedded_benign') while it was made.",
        ),
    ],
)
def test_a_method_that_cannot_be_made_is_one_line(start: Any, message: str) -> None:
    with pytest.raises(PluginError) as told:
        made(but("__init__", start), Settings())
    assert str(told.value) == message


def test_the_stand_in_for_what_cannot_be_used_is_a_method_that_fails_for_the_reason(tmp_path: Path) -> None:
    reason = PluginError("Method 'x' cannot be used: it lacks 'fit'.")
    method = unusable("x", reason)
    assert (method.name, method.settings) == ("x", DefaultSettings())
    assert card(type(method))["summary"] == "Method 'x' cannot be used: it lacks 'fit'."
    data = load_alignment("embedded")
    with pytest.raises(PluginError) as told:
        method.fit(None, data, 0, lambda *_: None)  # type: ignore[arg-type]
    assert told.value is reason
    with pytest.raises(PluginError):
        method.load(tmp_path)


@dataclass(frozen=True)
class Strange:
    place: Path = setting(Path("here"), "Where.", source="our choice")  # noqa: RUF009 - it is what is refused


def test_settings_that_no_run_can_keep_are_one_line() -> None:
    with pytest.raises(PluginError) as told:
        made(but("settings_type", Strange), Strange())
    expected = "Method 'whole' failed while it was made: TypeError: Object of type PosixPath is not JSON serializable."
    assert str(told.value) == expected
