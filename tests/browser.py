"""Pages as a browser shows them: opened, watched for complaints and for anything asked for beyond themselves."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
GRAVE = ("serious", "critical")


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """A headless browser for the whole session; tests that ask for it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--disable-component-update"])
        yield browser
        browser.close()


@contextmanager
def opened(chromium: "Browser", path: Path, fragment: str = "") -> Iterator["Page"]:
    """A page from a file. On leaving, nothing may have been complained of or asked for besides the file itself."""
    page = chromium.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url.partition("#")[0]))
    page.goto(path.as_uri() + fragment)
    yield page
    page.close()
    assert complaints == []
    assert set(requests) == {path.as_uri()}


def faults(page: "Page") -> list[str]:
    """What axe-core finds serious or critical: the rule, and the first element that breaks it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}, {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in GRAVE]


def sort_by(page: "Page", header: "Locator", order: str) -> None:
    """A header's button, and the rows put in that order, which takes a moment."""
    page.evaluate("document.addEventListener('sort-end', () => document.body.dataset.sorts = 'done', {once: true})")
    page.evaluate("delete document.body.dataset.sorts")
    header.get_by_role("button").press("Enter")
    page.locator("body[data-sorts=done]").wait_for()
    assert header.get_attribute("aria-sort") == order
