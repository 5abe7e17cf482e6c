import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from metrics.base import Difference, Direction, Estimate
from metrics.ranking import Places
from reports.base import Column
from reports.leaderboard import MISSING
from reports.site import page as pages
from reports.site.base import Entry, Group, Past, Ranking, Row, Run, Site
from reports.site.table import content, csv_text, latex
from reports.site.wording import cost, finding, rank
from tests.browser import faults, opened, sort_by
from tests.reports.conftest import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCORE = Column("bad+good/su_f1", "bad+good", "su_f1", "SU-F1", "share", Direction.HIGHER)
REFUSALS = Column("good/refusal_rate", "good", "refusal_rate", "Refusals", "share", Direction.LOWER)
LATEX = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]|[^\x00-\xff]")


def entry(arm: str, value: float, **changes: object) -> Entry:
    estimates = {SCORE.key: Estimate(value, value - 0.05, value + 0.05, 80), REFUSALS.key: Estimate(0.1, 0, 0.2, 40)}
    one = Entry(arm, "method", "run-1", (0,), {}, {"seconds": 2.0}, estimates)
    return replace(one, **changes)  # type: ignore[arg-type]


def row(arm: str, value: float, places: tuple[int, int], p_value: float = 0.001, **changes: object) -> Row:
    is_baseline = arm == "default"
    delta = None if is_baseline else Difference(0.1, 0.05, 0.15, p_value, p_value, 80, "paired bootstrap")
    return Row(entry(arm, value, is_baseline=is_baseline, **changes), Places(*places), delta)


def group(key: str, model: str, judge: str, benchmark: str, *rows: Row) -> Group:
    ranking = Ranking("bad+good", SCORE, (REFUSALS,), rows)
    return Group(key, model, judge, ("good", benchmark), {"Model": model, "Judge": judge}, {"Judge": judge}, (ranking,))


def make_site(name: str = "evil") -> Site:
    past = Past("run-1", "2025-12-01", "0.1", {SCORE.key: Estimate(0.4, 0.3, 0.5, 80)})
    first = group(
        *("aaaa", "llama", "keyword 1", "bad"),
        row("good", 0.8, (1, 2), history=(past,)),
        row("also", 0.7, (1, 2)),
        row(name, 0.65, (3, 4), p_value=0.7, notes=(name,)),
        row("default", 0.6, (3, 4)),
    )
    second = group("bbbb", name, "gcg 1", "other", row("default", 0.5, (1, 1)))
    runs = [
        Run(f"run-{number}", key, f"2026-01-0{number}T10:00:00", "0.2", "c0ffee", (0,), ("default", name), problems)
        for number, key, problems in ((2, "bbbb", (f"failed: {name}",)), (1, "aaaa", ()))
    ]
    return Site((first, second), tuple(runs))


def written(site: Site, folder: Path) -> Path:
    path = folder / "index.html"
    path.write_bytes(pages.render(site).encode(errors="backslashreplace"))
    return path


@pytest.fixture
def page(chromium: "Browser", tmp_path: Path) -> Iterator["Page"]:
    with opened(chromium, written(make_site(), tmp_path)) as page:
        yield page


def arms(page: "Page") -> list[str]:
    return [text.split()[0] for text in page.locator("#group-aaaa .board tbody th").all_inner_texts()]


def shown(page: "Page") -> list[str | None]:
    return [one.get_attribute("id") for one in page.locator(".group:visible").all()]


def test_a_shared_rank_shows_the_places_that_the_tests_leave_open(page: "Page") -> None:
    cells = page.locator("#group-aaaa .board tbody tr td:nth-child(2)").all_inner_texts()
    assert [cell.split() for cell in cells] == [[places, "shared"] for places in ("1-2", "1-2", "3-4", "3-4")]
    deltas = page.locator("#group-aaaa .delta").all_inner_texts()
    assert [delta.split()[0] for delta in deltas] == ["+0.100*", "+0.100*", "+0.100"]
    assert "n.s." in deltas[2]


def test_a_header_sorts_and_the_arms_sort_by_name(page: "Page") -> None:
    assert arms(page) == ["good", "also", "evil", "default"]
    sort_by(page, page.locator("#group-aaaa .board thead th").nth(0), "ascending")
    assert arms(page) == ["also", "default", "evil", "good"]
    sort_by(page, page.locator("#group-aaaa .board thead th").nth(2), "descending")
    assert arms(page) == ["good", "also", "evil", "default"]


def test_filters_hide_groups_and_their_runs_and_the_address_keeps_them(page: "Page") -> None:
    assert shown(page) == ["group-aaaa", "group-bbbb"]
    page.get_by_label("Judge").select_option(label="gcg 1")
    assert shown(page) == ["group-bbbb"]
    assert page.locator(".runs tbody tr:visible").count() == 1
    assert page.locator("#count").inner_text() == "1 of 2 groups"
    assert page.evaluate("location.hash") == "#judge=gcg+1"
    page.get_by_label("Model").select_option(label="llama")
    assert shown(page) == []
    assert page.locator("#nothing").is_visible()
    page.get_by_label("Judge").select_option(label="all")
    assert shown(page) == ["group-aaaa"]
    assert page.evaluate("location.hash") == "#model=llama"


@pytest.mark.parametrize(
    ("fragment", "groups"),
    [
        ("#benchmark=other", ["group-bbbb"]),
        ("#model=llama&judge=keyword+1", ["group-aaaa"]),
        ("#model=unknown", ["group-aaaa", "group-bbbb"]),
        ("#group-bbbb", ["group-aaaa", "group-bbbb"]),
    ],
)
def test_a_link_opens_on_what_it_filters_or_points_to(
    chromium: "Browser", tmp_path: Path, fragment: str, groups: list[str]
) -> None:
    with opened(chromium, written(make_site(), tmp_path), fragment) as page:
        assert shown(page) == groups


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_its_screen(page: "Page", scheme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    for details in page.locator("details").all():
        details.locator("summary").click()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_names_are_text_in_the_page_and_break_no_download(chromium: "Browser", tmp_path: Path) -> None:
    site = make_site(HOSTILE)
    with opened(chromium, written(site, tmp_path)) as page:
        assert page.locator("img").count() == 0
        assert "</script><img src=x onerror=alert(1)>" in page.locator("#group-aaaa .board").inner_text()
        page.get_by_label("Model").select_option(index=1)
        assert len(shown(page)) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", csv_text(site))
    assert ",'=1+1," in csv_text(make_site("=1+1")) and ",=1+1" not in csv_text(make_site("=1+1"))
    assert not LATEX.search(latex(site)) and r"\textless{}/script" in latex(site)
    assert json.loads(json.dumps(content(site), allow_nan=False))["groups"][1]["model"] == HOSTILE


def test_links_to_reports_are_relative_and_history_names_the_run_that_counts(page: "Page") -> None:
    links = {link.get_attribute("href") for link in page.locator("a").all()}
    assert {"runs/run-1/report.html", "runs/run-2/results.json", "leaderboard.csv", "#group-aaaa"} <= links
    page.get_by_text("good: history").click()
    lines = page.locator("details.history tbody tr").all_inner_texts()
    assert len(lines) == 2 and "counts above" in lines[0] and "0.400" in lines[1]


def test_a_finding_says_who_is_first_and_whether_the_tests_can_tell() -> None:
    def told(*rows: Row) -> str:
        return finding(Ranking("bad+good", SCORE, (), rows))

    alone = Row(entry("none", 0.1), None)
    assert told(alone) == "Not ranked: no arm has finished both benchmarks."
    assert told(row("a", 0.9, (1, 1)), alone) == "Only a has an SU-F1, so there is nothing to rank it against."
    assert told(row("a", 0.9, (1, 1)), row("b", 0.8, (2, 2))) == (
        "a is first: its SU-F1 is significantly above that of every other arm."
    )
    assert told(row("a", 0.9, (1, 2)), row("b", 0.8, (2, 3)), row("c", 0.7, (2, 3))) == (
        "a is first: no arm is significantly better, and each other arm is beaten by some arm."
    )
    assert told(*(row(name, 0.9, (1, 5)) for name in "abcde")) == (
        "a, b, c and 2 more share rank 1: none of them has an SU-F1 significantly below any other arm's."
    )
    assert finding(Ranking("x", None, (), (alone,))).startswith("Not ranked: SU-F1 needs a harmful and a benign")


def test_ranks_and_costs_are_told_in_short() -> None:
    assert [rank(places) for places in (None, Places(2, 2), Places(1, 3))] == [MISSING, "2", "1-3"]
    assert cost({}) == [MISSING]
    assert cost({"seconds": 0.0}) == ["no fit"]
    assert cost({"seconds": 1234.56, "extra_passes_per_reply": 1, "extra_tokens_per_reply": 2.5}) == [
        "1,234.6 s to fit",
        "+1 passes a reply",
        "+2.5 tokens a reply",
    ]
