import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports import html
from reports.base import Comparison

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")


@pytest.fixture(scope="module")
def chromium() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--disable-component-update"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: "playwright.Browser", comparison: Comparison, tmp_path: Path) -> Iterator["playwright.Page"]:
    """The report, opened; afterwards nothing may have been complained of or asked for besides the file itself."""
    path = tmp_path / "report.html"
    path.write_text(html.render(comparison), encoding="utf-8")
    opened = chromium.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    opened.close()
    assert complaints == []
    assert requests == [path.as_uri()]


def names(page: "playwright.Page") -> list[str]:
    return [text.split()[0] for text in page.locator(".board tbody th").all_inner_texts()]


def cards(page: "playwright.Page") -> "playwright.Locator":
    return page.locator("#cards > li")


def test_a_header_sorts_best_first_then_the_other_way_with_missing_numbers_last(page: "playwright.Page") -> None:
    header = page.locator(".board thead th").nth(1)
    header.get_by_role("button").click()
    assert names(page) == ["neurontune", "default", "evil"]
    assert header.get_attribute("aria-sort") == "descending"
    header.get_by_role("button").click()
    assert names(page) == ["default", "neurontune", "evil"]
    assert header.get_attribute("aria-sort") == "ascending"


def test_a_lower_is_better_header_sorts_ascending_first_from_the_keyboard(page: "playwright.Page") -> None:
    header = page.locator(".board thead th").nth(2)
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.locator("[aria-sort]").count() == 1


def test_fifty_replies_are_shown_at_a_time(page: "playwright.Page") -> None:
    assert page.locator("#shown").inner_text() == "1 to 50 of 160 replies"
    assert cards(page).count() == 50
    for _ in range(3):
        page.get_by_role("button", name="Next").click()
    assert page.locator("#shown").inner_text() == "151 to 160 of 160 replies"
    assert page.get_by_role("button", name="Next").is_disabled()


def test_filters_narrow_the_replies_together(page: "playwright.Page") -> None:
    page.locator("select[name=arm]").select_option("neurontune")
    page.locator("select[name=benchmark]").select_option("benign")
    page.get_by_text("1 to 40 of 40 replies").wait_for()
    page.get_by_label("Search").fill("QUESTION 7?")
    page.get_by_text("1 to 2 of 2 replies").wait_for()
    page.locator("select[name=verdict]").select_option("complied")
    page.get_by_text("No reply matches.").wait_for()


def test_only_verdicts_that_differ_from_default_are_left_on_demand(page: "playwright.Page") -> None:
    page.get_by_label("Only verdicts that differ").check()
    page.get_by_text("1 to 40 of 40 replies").wait_for()
    assert set(page.locator("#cards [data-field=arm]").all_inner_texts()) == {"neurontune"}
    card = cards(page).first
    card.get_by_role("button").click()
    card.get_by_text("default answered (complied)").click()
    assert "default replies to attacked 0" in card.locator("[data-field=baseline]").inner_text()


def test_harmful_text_is_not_in_the_page_until_it_is_asked_for(page: "playwright.Page") -> None:
    card = cards(page).first
    assert "Disguised" not in page.locator("#cards").inner_html()
    card.get_by_role("button").click()
    assert card.locator("[data-field=question]").inner_text() == "Question 0?"
    assert "default replies to attacked 0 </script><img" in card.locator("[data-field=reply]").inner_text()
    assert cards(page).nth(1).locator("[data-field=reply]").inner_text() == ""


def test_one_switch_shows_all_harmful_text(page: "playwright.Page") -> None:
    page.get_by_label("Show all harmful text").check()
    page.locator("#cards .reveal").first.wait_for(state="detached")
    assert page.locator("#cards .reveal").count() == 0


def test_hostile_replies_make_no_element_and_show_their_unseen_characters(page: "playwright.Page") -> None:
    page.get_by_label("Show all harmful text").check()
    page.locator("#cards .reveal").first.wait_for(state="detached")
    assert page.locator("img").count() == 0
    assert "\\u202egnp.exe \\u0000 \\ud800" in page.locator("[data-field=reply]").first.inner_text()


def test_the_page_never_scrolls_sideways(page: "playwright.Page") -> None:
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_tables_are_there_without_javascript(
    chromium: "playwright.Browser", comparison: Comparison, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(comparison), encoding="utf-8")
    context = chromium.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(path.as_uri())
    assert names(opened) == ["default", "neurontune", "evil"]
    assert opened.locator("#browser").is_hidden()
    context.close()
