import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from metrics.base import Estimate
from reports import markdown, terminal
from reports.base import Comparison
from reports.facts import Fact, costs, facts, reproduction
from reports.foreign import UNSEEN
from reports.registry import RENDERERS
from reports.shell import asset

Golden = Callable[[str, str], None]


def test_markdown_is_as_it_was(comparison: Comparison, golden: Golden) -> None:
    golden("report.md", markdown.render(comparison))


def test_terminal_is_as_it_was(comparison: Comparison, golden: Golden) -> None:
    golden("report.txt", terminal.render(comparison, width=80))


@pytest.mark.parametrize("name", RENDERERS)
def test_no_renderer_lets_an_unseen_character_through(name: str, comparison: Comparison) -> None:
    text = RENDERERS[name].render(comparison).replace(asset("vendor/diff.min.js"), "")  # it has a bell of its own
    text.encode("utf-8")
    assert UNSEEN.findall(text) == []


@pytest.mark.parametrize("name", RENDERERS)
def test_every_renderer_gives_the_same_text_twice(name: str, comparison: Comparison) -> None:
    assert RENDERERS[name].render(comparison) == RENDERERS[name].render(comparison)


@pytest.mark.parametrize("name", RENDERERS)
def test_every_renderer_copes_with_a_comparison_of_which_nothing_ran(name: str, comparison: Comparison) -> None:
    empty = replace(comparison, estimates={}, samples=(), columns=(), arms=comparison.arms[:1], provenance={})
    assert comparison.model in RENDERERS[name].render(empty).replace("\\", "")


NAMES = st.text(
    st.one_of(
        st.sampled_from("neuron_tune-+ [1]"), st.sampled_from("\u4e2d\uff21\uac00\U0001f600e\u0301"), st.characters()
    ),
    min_size=1,
    max_size=120,
)
NUMBERS_TO_PRINT = st.one_of(st.floats(-1, 1), st.floats(-1e300, 1e300))


@given(st.integers(1, 160), NAMES, NAMES, st.lists(NUMBERS_TO_PRINT, min_size=3, max_size=3).map(sorted), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_line_of_the_terminal_is_wider_than_asked(
    comparison: Comparison, width: int, name: str, unit: str, ends: list[float], data: st.DataObject
) -> None:
    low, value, high = ends
    n = data.draw(st.integers(1, 10**9))
    named = replace(comparison.arms[1], name=name, failure=data.draw(st.sampled_from(["", name])))
    columns = [replace(one, title=name, benchmark=f"{name}+{one.benchmark}") for one in comparison.columns]
    columns[0] = replace(columns[0], unit=unit)
    estimates = {(name, one.key): Estimate(value, low, high, n, unscored=1) for one in columns}
    differences = {(name, key): one for (_, key), one in comparison.differences.items()}
    arms = (comparison.arms[0], named)
    hostile = replace(comparison, model=name, arms=arms, columns=tuple(columns), estimates=estimates)
    text = terminal.render(replace(hostile, differences=differences), width)
    assert max(map(cell_len, text.splitlines())) <= max(width, terminal.NARROWEST)
    assert UNSEEN.findall(text) == []


def test_a_page_that_no_terminal_asked_for_has_80_columns(many_arms: Comparison) -> None:
    text = terminal.render(many_arms)
    assert text == terminal.render(many_arms, 80) != terminal.render(many_arms, 60)
    assert max(map(cell_len, text.splitlines())) <= 80


def test_wide_letters_keep_the_columns_in_line(comparison: Comparison) -> None:
    wide = replace(comparison.arms[1], name="\u5b89\u5168\u6027" * 5)
    estimates = {(wide.name, key): one for (arm, key), one in comparison.estimates.items() if arm == "neurontune"}
    text = terminal.render(replace(comparison, arms=(comparison.arms[0], wide), estimates=estimates))
    row = next(line for line in text.splitlines() if line.startswith("\u5b89"))
    rule = next(line for line in text.splitlines() if line.startswith("---"))
    assert cell_len(row.rstrip()) in (len(rule), len(rule) - 1) and len(row) < len(rule)


def test_a_number_that_is_too_long_goes_on_below(comparison: Comparison) -> None:
    key = ("default", "benign/entropy")
    estimates = {**comparison.estimates, key: Estimate(-0.5, -23456.5, -1234.25, 50)}
    lines = terminal.render(replace(comparison, estimates=estimates)).splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("default"))
    assert lines[place].endswith(" -0.50")
    assert lines[place + 1].endswith(" -23,456.50-") and lines[place + 2].strip() == "-1,234.25"


def test_a_long_name_is_wrapped_in_the_terminal_and_not_cut(comparison: Comparison) -> None:
    name = "neurontune-" + "abcdefghij" * 6
    long = replace(comparison, arms=(comparison.arms[0], replace(comparison.arms[1], name=name)))
    lines = terminal.render(long, 80).splitlines()
    assert name in "".join(line.split(" ")[0] for line in lines)


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_header(comparison: Comparison) -> None:
    tables = [block for block in markdown.render(comparison).split("\n\n") if block.startswith("|")]
    for table in tables:
        counts = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in table.splitlines()}
        assert len(counts) == 1
    assert len(tables) >= 3


def test_numbers_agree_between_all_renderers(comparison: Comparison) -> None:
    for name in RENDERERS:
        text = RENDERERS[name].render(comparison)
        assert "62.0" in text and "57.0-67.0" in text and "0.711" in text


def test_the_terminal_says_what_its_mark_means_in_one_line(comparison: Comparison) -> None:
    line = "* differs from default: p < 0.05 in a paired test, after Holm over the arms of the column."
    assert line in terminal.render(comparison, 100).splitlines()
    assert "paired" not in terminal.render(replace(comparison, differences={}))


def test_a_leaderboard_of_many_arms_keeps_a_row_for_each(many_arms: Comparison) -> None:
    text = terminal.render(many_arms, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("cavgan-threshold-0.5") == math.ceil(len(many_arms.headline) / 4)


def test_nested_settings_are_told_leaf_by_leaf() -> None:
    assert facts({"a": {"b": 1, "c": [1, 2]}, "d": "text", "e": {}}) == [
        Fact("a.b", "1"),
        Fact("a.c", "[1, 2]"),
        Fact("d", "text"),
        Fact("e", "{}"),
    ]


def test_costs_carry_units_and_compare_speed_with_default(comparison: Comparison) -> None:
    fast = replace(comparison.arms[0], cost={"tokens_per_second": 160.0})
    extra = {"extra_tokens_per_reply": 1234.56, "extra_passes_per_reply": 0.125}
    slow = replace(comparison.arms[1], cost={**comparison.arms[1].cost, **extra})
    assert costs(slow, fast) == [
        Fact("fit", "15.0 s"),
        Fact("forward passes", "1,200"),
        Fact("peak memory", "3 MiB"),
        Fact("extra tokens per reply", "1,234.6"),
        Fact("extra passes per reply", "0.12"),
        Fact("speed", "80.0 tokens/s (0.50 of default)"),
    ]


def test_a_command_may_be_recorded_as_words(comparison: Comparison) -> None:
    assert reproduction(replace(comparison, provenance={"command": ["equipoise", "run"]})) == "equipoise run"


def test_the_registry_is_there_without_plots_and_templates() -> None:
    code = (
        "import sys, reports.registry; print({'matplotlib', 'jinja2', 'numpy', 'torch', 'pandas'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
