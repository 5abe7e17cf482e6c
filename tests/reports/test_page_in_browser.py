from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports import html
from reports.base import Comparison
from tests.browser import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(chromium: "Browser", comparison: Comparison, tmp_path: Path) -> Iterator["Page"]:
    with opened(chromium, written(comparison, tmp_path)) as page:
        yield page


@pytest.fixture
def crowded(chromium: "Browser", many_arms: Comparison, tmp_path: Path) -> Iterator["Page"]:
    with opened(chromium, written(many_arms, tmp_path)) as page:
        yield page


def written(comparison: Comparison, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(html.render(comparison), encoding="utf-8")
    return path


def names(page: "Page") -> list[str]:
    return [text.split()[0] for text in page.locator("#leaderboard .board tbody th").all_inner_texts()]


def test_a_header_sorts_best_first_then_the_other_way_with_missing_numbers_last(page: "Page") -> None:
    header = page.locator(".board thead th").nth(1)
    header.get_by_role("button").click()
    assert names(page) == ["neurontune", "default", "evil"]
    assert header.get_attribute("aria-sort") == "descending"
    header.get_by_role("button").click()
    assert names(page) == ["default", "neurontune", "evil"]
    assert header.get_attribute("aria-sort") == "ascending"


def test_a_lower_is_better_header_sorts_ascending_first_from_the_keyboard(page: "Page") -> None:
    header = page.locator(".board thead th").nth(2)
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.locator("[aria-sort]").count() == 1


def unfold(page: "Page") -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


def test_the_page_never_scrolls_sideways(page: "Page") -> None:
    unfold(page)
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_tables_of_differences_and_of_all_numbers_sort_too(crowded: "Page") -> None:
    unfold(crowded)
    for table, column in (("#differences table >> nth=0", 1), ("#numbers table >> nth=0", 1)):
        header = crowded.locator(f"{table} >> thead th").nth(column)
        header.get_by_role("button").click()
        sorted_by = crowded.locator(f"{table} >> tbody tr").evaluate_all(
            f"rows => rows.map((row) => Number(row.cells[{column}].dataset.sort))"
        )
        assert header.get_attribute("aria-sort") == "descending"
        assert len(sorted_by) >= 27 and sorted_by == sorted(sorted_by, reverse=True)


def test_headers_of_a_long_leaderboard_stay_in_sight(crowded: "Page") -> None:
    board = crowded.locator("#leaderboard .tall")
    assert board.evaluate("box => box.clientHeight <= innerHeight && box.scrollHeight > box.clientHeight")
    board.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    distance = "box => box.querySelector('thead th').getBoundingClientRect().top - box.getBoundingClientRect().top"
    assert abs(board.evaluate(distance)) <= 2
    assert names(crowded)[-1] == "scans+neurontune"


def test_a_short_leaderboard_is_shown_whole(page: "Page") -> None:
    assert page.locator("#leaderboard .tall").count() == 0


def test_numbers_in_a_crowded_plot_do_not_cover_each_other(crowded: "Page") -> None:
    boxes = crowded.locator("#plots svg >> nth=0").evaluate(
        """svg => [...svg.querySelectorAll("text")].filter((text) => /^\\d+$/.test(text.textContent))
            .map((text) => text.getBoundingClientRect()).map((box) => [box.left, box.right, box.top, box.bottom])"""
    )
    assert len(boxes) == 56
    for place, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[:place]:
            width, height = min(right, other[1]) - max(left, other[0]), min(bottom, other[3]) - max(top, other[2])
            assert width <= 1 or height <= 4  # the box of a text is higher than its digits


def test_what_a_test_supports_is_told_without_colour(page: "Page") -> None:
    cell = page.locator(".board tbody tr").nth(1).locator("td").first
    assert cell.locator(".delta").text_content() == "+34.0* better than default"
    assert page.locator(".board tbody tr").nth(1).locator("td").nth(1).locator(".delta").text_content() == "+2.0 n.s."


def test_tables_are_there_without_javascript(chromium: "Browser", comparison: Comparison, tmp_path: Path) -> None:
    path = written(comparison, tmp_path)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert names(page) == ["default", "neurontune", "evil"]
    assert page.locator("#pairs-view").is_hidden()
    context.close()
