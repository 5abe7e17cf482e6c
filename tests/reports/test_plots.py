import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.base import Estimate
from reports.bars import bars
from reports.base import Comparison
from reports.doses import doses
from reports.figures import PALETTE, Range, colours, interval, short
from reports.html import span
from reports.numbering import HEIGHT, WIDTH, Place, placed
from reports.trade_off import apart, trade_offs


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted))
def test_names_keep_their_order_and_their_distance(heights: list[float]) -> None:
    placed = apart(heights, gap=0.05)
    assert max(placed) <= 1.0
    assert all(after - before >= 0.05 - 1e-9 for before, after in pairwise(placed))


@given(st.lists(st.integers(0, 9), min_size=1, unique=True).map(sorted))
def test_names_that_have_room_stay_where_they_are(places: list[int]) -> None:
    heights = [place / 10 for place in places]
    assert apart(heights, gap=0.05) == heights


def test_default_has_the_colour_of_the_text_and_no_other_arm_has(comparison: Comparison) -> None:
    default, *others = colours(comparison).values()
    assert default not in PALETTE and set(others) <= set(PALETTE)


def test_an_interval_is_scaled_and_a_missing_end_lies_on_the_value() -> None:
    assert interval(Estimate(0.5, 0.25, None, 4), 100) == Range(25, 50, 50)
    assert interval(Estimate(None, None, None, 0)) is None
    assert interval(None) is None


def test_long_names_are_shortened_in_plots_with_a_visible_mark() -> None:
    assert short("neurontune-safety_neurons-150-utility_neurons-50") == "neurontune-s…ty_neurons-50"
    assert len(short("a" * 40)) == 26 and short("a" * 26) == "a" * 26


def test_names_that_look_like_formulas_are_drawn_as_they_are(comparison: Comparison) -> None:
    named = replace(comparison.arms[1], name="_a $x_$ <b>")
    estimates = {
        (named.name if arm == "neurontune" else arm, key): one for (arm, key), one in comparison.estimates.items()
    }
    renamed = replace(comparison, arms=(comparison.arms[0], named), estimates=estimates)
    svgs = [plot.svg for plot in (*bars(renamed), *trade_offs(renamed))]
    assert len(svgs) == 5
    assert all(">_a $x_$ &lt;b&gt;<" in svg for svg in svgs)


def test_plots_carry_neither_date_nor_fixed_ink(comparison: Comparison) -> None:
    for plot in (*bars(comparison), *trade_offs(comparison)):
        assert "metadata" not in plot.svg and "currentColor" in plot.svg


def test_arms_without_a_number_are_left_out_and_empty_plots_too(comparison: Comparison) -> None:
    assert "evil" not in bars(comparison)[0].svg
    assert bars(replace(comparison, estimates={})) == trade_offs(replace(comparison, estimates={})) == []


def test_the_bar_in_a_cell_lies_on_the_scale_of_its_column(comparison: Comparison) -> None:
    share, entropy = comparison.columns[0], comparison.columns[3]
    assert span(comparison, comparison.arms[1], share) == pytest.approx((57, 62, 67))
    found = span(comparison, comparison.arms[0], entropy)
    assert found is not None and found.high == 100 and found.value == pytest.approx(100 * 6.02 / 6.22)


def test_an_infinite_number_has_no_bar_in_its_cell(comparison: Comparison) -> None:
    column = comparison.columns[3]
    infinite = replace(comparison, estimates={("default", column.key): Estimate(math.inf, 1.0, math.inf, 5)})
    assert span(infinite, infinite.arms[0], column) is None


def test_arms_that_differ_in_one_number_are_a_dose_in_its_order(comparison: Comparison) -> None:
    made = {
        "base": {"rate": 0.1, "layers": 3, "kind": "a", "is_on": True},
        "fast": {"rate": 0.3, "layers": 3, "kind": "a", "is_on": True},
        "slow": {"rate": 0.01, "layers": 3, "kind": "a", "is_on": True},
        "deep": {"rate": 0.1, "layers": 5, "kind": "a", "is_on": True},
        "other": {"rate": 0.1, "layers": 3, "kind": "b", "is_on": True},
        "off": {"rate": 0.1, "layers": 3, "kind": "a", "is_on": False},
        "both": {"rate": 0.3, "layers": 5, "kind": "b", "is_on": True},
    }
    arms = [replace(comparison.arms[1], name=name, method="m", settings=settings) for name, settings in made.items()]
    stranger = replace(arms[0], name="stranger", method="n")
    found = [[arm.name for arm in dose] for dose in doses([*arms, stranger])]
    assert found == [["slow", "base", "fast"], ["base", "deep"]]


def test_a_dose_is_drawn_as_a_line_behind_its_points(comparison: Comparison) -> None:
    first = replace(comparison.arms[1], settings={"rate": 0.1})
    second = replace(first, name="other", settings={"rate": 0.2})
    estimates = {("other", key): one for (name, key), one in comparison.estimates.items() if name == "neurontune"}
    both = replace(
        comparison, arms=(comparison.arms[0], first, second), estimates={**comparison.estimates, **estimates}
    )
    apart = replace(both, arms=(*both.arms[:2], replace(second, settings={"rate": 0.2, "kind": "b"})))
    assert trade_offs(both)[0].svg.count("<path") == trade_offs(apart)[0].svg.count("<path") + 1


def test_a_crowd_is_numbered_with_a_legend_that_names_every_arm(many_arms: Comparison) -> None:
    svg = trade_offs(many_arms)[0].svg
    for number, arm in enumerate(many_arms.arms, start=1):
        assert svg.count(f">{number}<") == 2
        assert svg.count(f">{short(arm.name)}<") == 1


def test_arms_of_one_method_share_a_colour_only_where_colours_run_out(many_arms: Comparison) -> None:
    few = replace(many_arms, arms=many_arms.arms[:8])
    assert len(set(colours(few).values())) == 8
    crowded = colours(many_arms)
    by_method = {(arm.method, crowded[arm.name]) for arm in many_arms.arms}
    assert len(by_method) == len({arm.method for arm in many_arms.arms})
    assert len({colour for _, colour in by_method}) == 8


@given(st.lists(st.builds(Place, st.floats(0, 250), st.floats(0, 300)), max_size=30))
def test_numbers_cover_neither_each_other_nor_a_mark(marks: list[Place]) -> None:
    numbers = placed(marks)
    assert len(numbers) == len(marks)
    for place, number in enumerate(numbers):
        others = numbers[:place]
        assert all(abs(number.x - one.x) >= WIDTH or abs(number.y - one.y) >= HEIGHT for one in others)
        assert all(abs(number.x - mark.x) >= WIDTH / 2 or abs(number.y - mark.y) >= HEIGHT / 2 for mark in marks)


def test_a_number_with_room_stands_above_and_to_the_right_of_its_mark() -> None:
    number = placed([Place(10, 10), Place(200, 200)])[0]
    assert 10 < number.x < 20 and 10 < number.y < 20
