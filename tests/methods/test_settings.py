from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import UserError
from methods.default import DefaultSettings
from methods.neurontune.settings import NeuronTuneSettings
from methods.registry import METHODS
from methods.settings import build_settings, describe, setting


@dataclass(frozen=True, slots=True)
class Knobs:
    rate: float = setting(0.5, "How fast.", source="our choice", low=0, high=1)
    steps: int = setting(3, "How long.", source="our choice", unit="steps", low=1)
    kind: str = setting("plain", "Which.", source="our choice", choices=("plain", "fancy"))
    loud: bool = setting(False, "Whether.", source="our choice")
    shift: float = setting(0.0, "Where.", source="our choice", high=2)
    free: float = setting(0.0, "Anything.", source="our choice")


def error_of(name: str, value: object) -> str:
    with pytest.raises(UserError) as caught:
        build_settings(Knobs, {name: value}, "toy")
    return str(caught.value)


def test_without_values_all_settings_have_their_defaults() -> None:
    assert build_settings(Knobs, {}, "toy") == Knobs()


def test_values_take_the_place_of_defaults() -> None:
    given_values = {"rate": 1, "steps": 5, "kind": "fancy", "loud": True}
    built = build_settings(Knobs, given_values, "toy")
    assert (built.rate, built.steps, built.kind, built.loud, built.shift) == (1.0, 5, "fancy", True, 0.0)
    assert type(built.rate) is float


@pytest.mark.parametrize(("name", "value", "text"), [
    ("rate", 1.5, "Setting 'rate' of 'toy' is 1.5; it must be a number from 0 to 1."),
    ("rate", -0.1, "Setting 'rate' of 'toy' is -0.1; it must be a number from 0 to 1."),
    ("rate", "fast", "Setting 'rate' of 'toy' is 'fast'; it must be a number from 0 to 1."),
    ("rate", float("nan"), "Setting 'rate' of 'toy' is nan; it must be a number from 0 to 1."),
    ("rate", True, "Setting 'rate' of 'toy' is True; it must be a number from 0 to 1."),
    ("steps", 0, "Setting 'steps' of 'toy' is 0; it must be a whole number at least 1."),
    ("steps", 2.0, "Setting 'steps' of 'toy' is 2.0; it must be a whole number at least 1."),
    ("kind", "other", "Setting 'kind' of 'toy' is 'other'; it must be one of plain, fancy."),
    ("loud", 1, "Setting 'loud' of 'toy' is 1; it must be true or false."),
    ("shift", 3.0, "Setting 'shift' of 'toy' is 3.0; it must be a number at most 2."),
    ("free", "x", "Setting 'free' of 'toy' is 'x'; it must be a number any value."),
    ("stepz", 3, "No setting of 'toy' named 'stepz'. Did you mean 'steps'? "
                 "Available: free, kind, loud, rate, shift, steps."),
])  # fmt: skip
def test_a_wrong_value_is_told_with_what_would_do(name: str, value: object, text: str) -> None:
    assert error_of(name, value) == text


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(UserError) as caught:
        build_settings(DefaultSettings, {"rate": 1}, "default")
    assert str(caught.value) == "'default' has no settings, so 'rate' cannot be set."


@given(st.floats(allow_nan=False))
def test_a_number_is_taken_exactly_where_it_lies_in_the_range(value: float) -> None:
    if 0 <= value <= 1:
        assert build_settings(Knobs, {"rate": value}, "toy").rate == value
    else:
        assert error_of("rate", value).startswith("Setting 'rate' of 'toy' is ")


@given(st.one_of(st.none(), st.integers(), st.text(), st.booleans(), st.floats(), st.lists(st.integers())))
def test_any_value_is_either_taken_as_it_is_or_refused_in_one_line(value: object) -> None:
    for known in describe(Knobs):
        try:
            built = getattr(build_settings(Knobs, {known.name: value}, "toy"), known.name)
        except UserError as error:
            assert "\n" not in str(error)
        else:
            assert type(built) is type(known.default)
            assert built == value


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_of_every_method_is_explained_and_has_a_default_that_it_allows(name: str) -> None:
    settings_type = METHODS[name].settings_type
    for known in describe(settings_type):
        assert known.meaning.endswith("."), known.name
        assert known.source, known.name
        assert build_settings(settings_type, {known.name: known.default}, name) == settings_type()


def test_every_choice_of_neurontune_can_be_chosen() -> None:
    for known in describe(NeuronTuneSettings):
        for choice in known.choices:
            assert getattr(build_settings(NeuronTuneSettings, {known.name: choice}, "x"), known.name) == choice
