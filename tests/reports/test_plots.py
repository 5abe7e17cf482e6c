import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.base import Estimate
from reports.bars import bars
from reports.base import Comparison
from reports.figures import PALETTE, Range, colours, interval, short
from reports.html import span
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
    assert short("a" * 40) == "a" * 25 + "…"


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
