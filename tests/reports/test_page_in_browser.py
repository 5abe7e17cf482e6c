from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports import html
from reports.base import Comparison
from tests.browser import faults, opened, sort_by

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def path(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(comparison, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def crowded_path(many_arms: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(many_arms, tmp_path_factory.mktemp("crowded"))


@pytest.fixture
def page(chromium: "Browser", path: Path) -> Iterator["Page"]:
    with opened(chromium, path) as page:
        yield page


@pytest.fixture
def crowded(chromium: "Browser", crowded_path: Path) -> Iterator["Page"]:
    with opened(chromium, crowded_path) as page:
        yield page


def written(comparison: Comparison, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(html.render(comparison), encoding="utf-8")
    return path


def names(page: "Page") -> list[str]:
    return [text.split()[0] for text in page.locator("#leaderboard .board tbody th").all_inner_texts()]


def test_a_header_sorts_best_first_then_the_other_way_with_missing_numbers_last(page: "Page") -> None:
    header = page.locator(".board thead th").nth(1)
    sort_by(page, header, "descending")
    assert names(page) == ["neurontune", "default", "evil"]
    sort_by(page, header, "ascending")
    assert names(page) == ["default", "neurontune", "evil"]


def test_a_lower_is_better_header_sorts_ascending_first_from_the_keyboard(page: "Page") -> None:
    header = page.locator(".board thead th").nth(2)
    sort_by(page, page.locator(".board thead th").nth(1), "descending")
    sort_by(page, header, "ascending")
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
        sort_by(crowded, header, "descending")
        sorted_by = crowded.locator(f"{table} >> tbody tr").evaluate_all(
            f"rows => rows.map((row) => Number(row.cells[{column}].dataset.sort))"
        )
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


def test_tables_are_there_without_javascript(chromium: "Browser", path: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert names(page) == ["default", "neurontune", "evil"]
    assert page.locator("#pairs-view").is_hidden()
    context.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_no_grave_fault_in_either_theme_or_on_a_phone(page: "Page", theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    unfold(page)
    assert faults(page) == []


def background(page: "Page") -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_theme_follows_the_system_until_the_switch_is_pressed_and_is_then_kept(page: "Page") -> None:
    switch = page.get_by_role("button", name="Dark theme")
    light = background(page)
    page.emulate_media(color_scheme="dark")
    page.locator("[aria-pressed=true]").wait_for()
    dark = background(page)
    assert dark != light
    switch.focus()
    page.keyboard.press("Space")
    assert switch.get_attribute("aria-pressed") == "false" and background(page) == light
    page.reload()
    assert background(page) == light


def test_the_theme_can_be_switched_where_storage_is_denied(chromium: "Browser", path: Path) -> None:
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    denied = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    page.add_init_script(denied)
    page.goto(path.as_uri())
    page.get_by_role("button", name="Dark theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark" and errors == []
    page.close()


def test_print_is_light_and_unfolded_whatever_the_theme(page: "Page") -> None:
    light = background(page)
    page.get_by_role("button", name="Dark theme").click()
    assert background(page) != light
    page.emulate_media(media="print")
    assert background(page) == "rgb(255, 255, 255)"
    assert page.get_by_role("button", name="Dark theme").count() == 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details:not([open])").count() > 0


def test_a_printed_report_has_a_handful_of_pages(page: "Page") -> None:
    pages = page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n")
    assert 4 <= pages <= 40


def test_the_tab_key_reaches_links_headers_and_folds_in_the_order_of_the_page(page: "Page") -> None:
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """(() => { const one = document.activeElement;
                    return one.closest("nav") ? "nav" : one.closest("thead") ? "header" : one.tagName; })()"""
            )
        )
    assert reached[0] == "A" and reached[1] == "BUTTON"
    assert reached.index("nav") < reached.index("header") < reached.index("SUMMARY")


def test_the_command_is_copied_or_selected(page: "Page") -> None:
    page.get_by_role("button", name="Copy").click()
    page.wait_for_function(
        "getSelection().toString().includes('equipoise run') || document.querySelector('.copy').textContent == 'Copied'"
    )


def test_the_best_of_a_column_is_bold_and_the_second_underlined_and_both_are_spoken(page: "Page") -> None:
    board = page.locator("#leaderboard")
    assert board.locator("td .best").all_text_contents() == ["62.0 best"]
    assert board.locator("td .second").all_text_contents() == ["28.0 second"]
    assert "tell it from every other arm" in board.locator("p").first.inner_text()
