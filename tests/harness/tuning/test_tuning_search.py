import math
import subprocess
import sys
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import UserError
from harness.tuning.search import Tried, suggest
from harness.tuning.space import Space
from methods.base import Method
from methods.default import Default
from methods.settings import Range, setting


def method(**fields: Any) -> type[Method]:  # noqa: ANN401 - fields of settings
    """A method with these settings."""
    columns = [(name, type(field.default), field) for name, field in fields.items()]
    settings = make_dataclass("Settings", columns, frozen=True)
    return type("Made", (Default,), {"name": "made", "settings_type": settings})


def searched(default: Any, search: Any) -> Any:  # noqa: ANN401 - of any type
    return setting(default, "Something.", source="our choice", search=search)


def space(**fields: Any) -> Space:  # noqa: ANN401 - fields of settings
    return Space.of(method(**fields), {}, {})


@st.composite
def ranges(draw: st.DrawFn, low: float, high: float) -> Range:
    ends = sorted((draw(st.floats(low, high)), draw(st.floats(low, high))))
    return Range(ends[0], ends[1], log=draw(st.booleans()))


@given(
    real=ranges(0.001, 10),
    whole=st.tuples(st.integers(1, 9), st.integers(0, 9), st.booleans()),
    values=st.lists(st.sampled_from(["a", "b", "c", True, 2.5]), min_size=1, unique=True).map(tuple),
    seed=st.integers(0, 2**40),
    number=st.integers(1, 99),
)
def test_what_is_suggested_lies_in_the_space(
    real: Range, whole: tuple[int, int, bool], values: tuple[Any, ...], seed: int, number: int
) -> None:
    low, more, log = whole
    known = space(
        real=searched(0.5, real), whole=searched(3, Range(low, low + more, log)), value=searched(values[0], values)
    )
    point = suggest(known, [], seed, number)
    assert point is not None
    assert known.holds(point)
    assert type(point["whole"]) is int
    assert list(point) == ["real", "whole", "value"]
    assert point == suggest(known, [], seed, number)


def test_a_suggestion_depends_on_seed_number_and_history() -> None:
    known = space(real=searched(0.5, Range(0, 1)))
    history = [Tried({"real": place / 20}, place / 20) for place in range(20)]
    drawn = [
        suggest(known, past, seed, number)
        for past, seed, number in (([], 0, 1), ([], 1, 1), ([], 0, 2), (history, 0, 1))
    ]
    assert all(drawn.count(one) == 1 for one in drawn)


def test_real_numbers_can_be_typed() -> None:
    known = space(real=searched(0.5, Range(0.002, 0.1, log=True)))
    points = [suggest(known, [], seed, 1) for seed in range(20)]
    assert all(point is not None and len(f"{point['real']:.6g}".lstrip("0.")) <= 3 for point in points)


def test_a_finite_space_is_tried_whole_and_nothing_twice() -> None:
    known = space(whole=searched(2, Range(1, 3)), value=searched("a", ("a", "b")))
    assert known.size == 6
    history = [Tried(known.defaults, 0.5)]
    while (point := suggest(known, history, 0, len(history))) is not None:
        assert point not in [tried.point for tried in history]
        history.append(Tried(point, 1.0))
    assert len(history) == 6


@pytest.mark.parametrize(
    ("search", "default", "size"),
    [(Range(0, 1), 0.5, math.inf), (Range(2, 2), 2.0, 1), (Range(1, 9), 3, 9), (Range(0.5, 2.5), 1, 2), ((1, 2), 1, 2)],
)
def test_the_size_of_a_space(search: Any, default: Any, size: float) -> None:  # noqa: ANN401 - of any type
    assert space(one=searched(default, search)).size == size


def test_defaults_outside_of_the_space_do_not_disturb_the_search() -> None:
    known = space(count=searched(500.0, Range(0.002, 0.1, log=True)), other=searched(0.5, Range(0, 1)))
    assert not known.holds(known.defaults)
    assert suggest(known, [Tried(known.defaults, 0.9)], 0, 1) == suggest(known, [], 0, 1)


def value(point: dict[str, Any]) -> float:
    return 1 - (point["real"] - 0.3) ** 2 - 0.01 * abs(point["whole"] - 4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_search_comes_near_the_best(seed: int) -> None:
    known = space(real=searched(0.9, Range(0, 1)), whole=searched(9, Range(1, 9)))
    history = [Tried(known.defaults, value(known.defaults))]
    for number in range(1, 40):
        point = suggest(known, history, seed, number)
        assert point is not None
        history.append(Tried(point, value(point)))
    assert max(tried.value or 0 for tried in history) > 0.98


def test_the_search_keeps_away_from_where_trials_fail() -> None:
    known = space(real=searched(0.9, Range(0, 1)))
    history = [Tried({"real": place / 20}, 0.5 if place > 10 else None) for place in range(20)]
    points = [suggest(known, history, seed, 20) for seed in range(20)]
    assert sum(point is not None and point["real"] > 0.5 for point in points) >= 18


class Unsearched(Default):
    name: ClassVar[str] = "unsearched"


def test_a_method_without_searched_settings_is_refused() -> None:
    hint = "'equipoise list methods --verbose' shows which settings of which method are searched."
    with pytest.raises(UserError) as nothing:
        Space.of(Unsearched, {}, {})
    assert str(nothing.value) == f"'unsearched' has no settings to tune. {hint}"
    with pytest.raises(UserError) as fixed:
        Space.of(method(one=searched(1, (1, 2)), two=searched(1.0, Range(0, 1))), {"two": 0.5, "one": 2}, {})
    assert str(fixed.value) == f"'made' has no settings to tune but those that are fixed (one, two). {hint}"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom harness.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'optuna', 'numpy') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script, "tune", "--help"], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
