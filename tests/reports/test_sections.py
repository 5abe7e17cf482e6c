from dataclasses import replace

import pytest

from metrics.base import Direction
from reports import html, markdown, terminal
from reports.base import Column, Comparison
from reports.leaderboard import LEARNS, benchmarks
from reports.sections import sections
from tests.reports.conftest import difference, estimate

TITLE = "SafeEdit protocol"


def apart(benchmark: str, title: str, category: str = "") -> Column:
    metric = f"{title.lower()}[{category}]" if category else title.lower()
    return Column(
        f"{benchmark}/{metric}", benchmark, metric, title, "share", Direction.HIGHER,
        meaning=f"What {title} means.", section=TITLE, category=category,
    )  # fmt: skip


DS, DG = apart("safeedit", "DS"), apart("safeedit_other", "DG")
PARTS = (apart("safeedit", "DS", "b"), apart("safeedit", "DS", "a"), apart("safeedit_other", "DG", "a"))


@pytest.fixture
def with_section(comparison: Comparison) -> Comparison:
    """DG was not run; the split numbers of `neurontune` alone are there."""
    estimates = {("neurontune", one.key): estimate(0.43, "share") for one in (DS, *PARTS)}
    return replace(
        comparison,
        arms=(comparison.arms[0], replace(comparison.arms[1], learns_from_prompts=True), *comparison.arms[2:]),
        columns=(*comparison.columns, DS, DG, *PARTS),
        estimates={**comparison.estimates, **estimates, ("default", DS.key): estimate(0.31, "share")},
        differences={**comparison.differences, ("neurontune", DS.key): difference(DS, 0.12, 0.001)},
        sections={TITLE: "Safe is what <b>the judge</b> says."},
    )


def test_a_section_holds_whole_numbers_and_a_table_of_categories_for_each(with_section: Comparison) -> None:
    (found,) = sections(with_section)
    assert found.columns == (DS, DG)
    told = [(split.benchmark, split.title, [one.category for one in split.columns]) for split in found.splits]
    assert told == [("safeedit", "DS", ["a", "b"]), ("safeedit_other", "DG", ["a"])]


def test_markdown_tells_value_interval_count_and_mark_and_leaves_missing_cells_empty(with_section: Comparison) -> None:
    text = markdown.render(with_section)
    section = text.partition(f"## {TITLE}")[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    assert ["neurontune", "43.0 (38.0-48.0), +12.0\\*", "\N{EN DASH}"] in lines
    assert ["arm", "a<br>n 50", "b<br>n 50"] in lines
    assert ["neurontune", "43.0 (38.0-48.0)", "43.0 (38.0-48.0)"] in lines
    assert ["default", "\N{EN DASH}", "\N{EN DASH}"] in lines
    assert "<b>" not in section


def test_numbers_of_a_section_are_nowhere_else(with_section: Comparison) -> None:
    assert not {"safeedit", "safeedit_other"} & set(benchmarks(with_section))
    assert not {"safeedit", "safeedit_other"} & {column.benchmark for column in with_section.headline}
    assert "safeedit" not in markdown.render(with_section).partition("## All numbers")[2].partition("## What")[0]


def test_the_page_links_to_the_section_and_escapes_it(with_section: Comparison) -> None:
    page = html.render(with_section)
    assert f'<a href="#section-1">{TITLE}</a>' in page
    section = page.partition('<section id="section-1">')[2].partition("</section>")[0]
    assert "&lt;b&gt;the judge&lt;/b&gt;" in section
    assert "safeedit: DS (%) ↑ by attack category" in section
    assert section.count("43.0") == 4


def test_the_terminal_prints_whole_numbers_alone(with_section: Comparison) -> None:
    text = terminal.render(with_section)
    section = text.partition(f"{TITLE}\n")[2]
    assert "43.0*" in section
    assert "attack category" not in text


def test_an_arm_that_learns_from_test_prompts_is_named_everywhere(with_section: Comparison) -> None:
    for text in (markdown.render(with_section), html.render(with_section)):
        assert LEARNS in text
    assert "neurontune learns from each test prompt" in terminal.render(with_section, 300)


def test_replies_that_a_section_leaves_out_are_counted(with_section: Comparison) -> None:
    left_out = replace(with_section.estimates["neurontune", DS.key], unscored=3)
    told = replace(with_section, estimates={**with_section.estimates, ("neurontune", DS.key): left_out})
    assert "safeedit DS (neurontune 3)" in markdown.render(told)


def test_a_comparison_without_sections_has_none(comparison: Comparison) -> None:
    assert sections(comparison) == []
    assert 'id="section-1"' not in html.render(comparison)
    assert LEARNS not in html.render(comparison)
