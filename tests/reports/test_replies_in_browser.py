import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from benchmarks.base import Intent
from reports import html, side_by_side
from reports.base import Comparison, Sample
from reports.packing import link_name
from tests.browser import faults, opened
from tests.reports.conftest import HOSTILE, arm

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SECRET = "Forged key"
LINK = "#replies?left=default&right=scans&prompt="


def sample(arm: str, number: int, reply: str, verdict: str, seed: int = 0) -> Sample:
    """Even prompts are harmful and attacked by one of two templates, odd ones are plain."""
    attacked = number % 2 == 0
    template = "story" if number % 4 else "role"
    return Sample(
        benchmark="attacked" if attacked else "benign",
        prompt_id=f"{SECRET} {number}" if attacked else f"plain {number}",
        arm=arm,
        seed=seed,
        intent=Intent.HARMFUL if attacked else Intent.BENIGN,
        category="locks",
        attack=f"pretending, {template}s: {template}" if attacked else "",
        question=f"{SECRET} {number}?" if attacked else f"Recipe {number}?",
        prompt=f"Pretend: {SECRET} {number}?" if attacked else f"Recipe {number}?",
        reply=reply,
        verdict=verdict,
        reason="the phrase decided",
        action={"steered": 1},
        tokens=12,
        entropy=5.126,
        strategies=("pretending", f"{template}s") if attacked else (),
        template=template if attacked else "",
    )


def samples() -> list[Sample]:
    """50 prompts: `scans` flips every fourth of `default`'s verdicts, `dinm` only the first; `scans` has two seeds."""
    found = []
    for number in range(50):
        kind = "harmful" if number % 2 == 0 else "benign"
        found.append(sample("default", number, f"Sure, take the red {kind} thing {number}.", "complied"))
        for seed in (0, 1):
            verdict = "refused" if number % 4 == 0 else "complied"
            found.append(sample("scans", number, f"Sure, take the blue {kind} thing {number}.", verdict, seed))
        found.append(sample("dinm", number, f"Take it {number}.", "refused" if number == 0 else "complied"))
    return found


def written(comparison: Comparison, folder: Path, told: Sequence[Sample], arms: Sequence[str]) -> Path:
    made = replace(comparison, arms=tuple(map(arm, arms)), samples=tuple(told), estimates={}, differences={})
    path = folder / "report.html"
    path.write_text(html.render(made), encoding="utf-8")
    return path


@pytest.fixture
def path(comparison: Comparison, tmp_path: Path) -> Path:
    return written(comparison, tmp_path, samples(), ["default", "dinm", "scans"])


@pytest.fixture
def page(chromium: "Browser", path: Path) -> Iterator["Page"]:
    with opened(chromium, path) as page:
        page.locator(".pair").first.wait_for()
        yield page


def rows(page: "Page") -> "Locator":
    return page.locator("#pairs > li")


def shown(page: "Page", text: str) -> None:
    """Waits until the count says so."""
    page.locator("#shown").get_by_text(text, exact=True).wait_for()


def choose(page: "Page", name: str, value: str) -> None:
    page.locator(f"select[name={name}]").select_option(value)


def key(number: int, seed: int = 0) -> str:
    one = sample("default", number, "", "")
    return f"{one.benchmark}/{link_name(one)}/{seed}"


def test_default_stands_beside_the_arm_with_most_flips(page: "Page") -> None:
    assert page.locator("select[name=left]").input_value() == "default"
    assert page.locator("select[name=right]").input_value() == "scans"
    told = "default → scans, the whole run: 26 of 100 pairs flip (26 complied → refused)."
    assert page.locator("#flips").inner_text() == told
    shown(page, "1 to 20 of 100 pairs")
    for _ in range(4):
        page.get_by_role("button", name="Next").first.click()
    shown(page, "81 to 100 of 100 pairs")
    assert page.get_by_role("button", name="Next").last.is_disabled()


def test_any_two_arms_stand_beside_each_other_and_an_arm_beside_itself_once(page: "Page") -> None:
    choose(page, "left", "scans")
    choose(page, "right", "dinm")
    page.get_by_text("scans → dinm, the whole run: 24 of 100 pairs flip (24 refused → complied).").wait_for()
    choose(page, "right", "scans")
    page.locator("#flips:empty").wait_for(state="attached")
    choose(page, "intent", "benign")
    shown(page, "1 to 20 of 50 pairs")
    assert rows(page).first.locator(".side").count() == 1


def test_an_arm_of_one_seed_stands_beside_every_seed_of_the_other(page: "Page") -> None:
    choose(page, "benchmark", "benign")
    shown(page, "1 to 20 of 50 pairs")
    second = rows(page).nth(1)
    assert second.get_by_role("heading", level=3).inner_text() == "benign 1, seed 1"
    assert second.locator(".side").first.locator("[data-field=length]").inner_text() == (
        "12 tokens, entropy 5.13 bits, seed 0, the only one of this arm."
    )
    assert second.locator(".side").last.locator("[data-field=length]").inner_text() == "12 tokens, entropy 5.13 bits."


def test_words_that_one_reply_lacks_are_marked_by_elements_and_counted(page: "Page") -> None:
    choose(page, "benchmark", "benign")
    first = rows(page).first
    first.locator("ins").wait_for()
    assert first.locator("del").all_inner_texts() == ["red "]
    assert first.locator("ins").all_inner_texts() == ["blue "]
    told = [side.inner_text() for side in first.locator(".side [data-field=text]").all()]
    assert told == ["Sure, take the red benign thing 1.", "Sure, take the blue benign thing 1."]
    counted = "Only on the left: 1 word or sign. Only on the right: 1 word or sign."
    assert first.locator("[data-field=difference]").inner_text() == counted
    assert "line-through" in first.locator("del").evaluate("it => getComputedStyle(it).textDecorationLine")
    assert "underline" in first.locator("ins").evaluate("it => getComputedStyle(it).textDecorationLine")


FILTERS = (
    ("flips", "all", 26),
    ("flips", "to refused", 26),
    ("flips", "to complied", 0),
    ("benchmark", "attacked", 50),
    ("intent", "harmful", 50),
    ("attack", "storys", 24),
    ("attack", "pretending", 50),
    ("template", "role", 26),
    ("was", "complied", 100),
    ("was", "refused", 0),
    ("is", "refused", 26),
    ("seed", "1", 50),
)


def test_each_filter_leaves_what_it_says(page: "Page") -> None:
    for name, value, count in FILTERS:
        choose(page, name, value)
        shown(page, f"1 to 20 of {count} pairs" if count else "No pair matches.")
        page.get_by_role("button", name="Clear filters").click()
        shown(page, "1 to 20 of 100 pairs")


def test_filters_narrow_together(page: "Page") -> None:
    choose(page, "flips", "all")
    choose(page, "seed", "1")
    shown(page, "1 to 13 of 13 pairs")
    page.get_by_label("Search").fill("BLUE harmful thing 4.")
    shown(page, "1 to 1 of 1 pairs")


def test_a_search_looks_into_question_prompt_and_both_replies(page: "Page") -> None:
    for words, count in (("recipe 7?", 2), ("pretend:", 50), ("red benign", 50), ("BLUE harmful thing 48.", 2)):
        page.get_by_label("Search").fill(words)
        shown(page, f"1 to {min(20, count)} of {count} pairs")


def test_harmful_text_is_not_in_the_page_until_it_is_asked_for_not_even_by_a_search(page: "Page") -> None:
    page.get_by_label("Search").fill("Pretend: forged key 8?")
    shown(page, "1 to 2 of 2 pairs")
    html_of_rows = page.locator("#pairs").inner_html()
    assert SECRET not in html_of_rows and SECRET.replace(" ", "+") not in html_of_rows
    assert "harmful thing" not in html_of_rows
    first = rows(page).first
    first.get_by_role("button").click()
    assert first.locator("[data-field=question]").inner_text() == f"{SECRET} 8?"
    first.locator("ins").wait_for()
    assert "red harmful thing 8." in first.locator(".side").first.inner_text()
    assert SECRET not in rows(page).nth(1).inner_html()
    assert page.evaluate("document.activeElement.className") == "text"


def test_one_switch_shows_and_hides_all_harmful_text(page: "Page") -> None:
    switch = page.get_by_label("Show all harmful text")
    switch.check()
    page.locator("#pairs .reveal").first.wait_for(state="detached")
    assert SECRET in page.locator("#pairs").inner_html()
    switch.uncheck()
    page.locator("#pairs .reveal").first.wait_for()
    assert SECRET not in page.locator("#pairs").inner_html()


def test_a_link_restores_arms_filters_and_prompt_and_outlives_a_reload(chromium: "Browser", path: Path) -> None:
    link = f"#replies?left=scans&right=dinm&intent=benign&seed=1&prompt={key(47, 1)}"
    with opened(chromium, path, link) as page:
        for _ in range(2):
            shown(page, "21 to 25 of 25 pairs")
            current = page.locator("[aria-current]")
            current.wait_for()
            assert current.get_by_role("heading", level=3).inner_text() == "benign 24, seed 1"
            assert current.evaluate("it => it === document.activeElement")
            page.wait_for_timeout(700)  # of smooth scrolling
            assert current.evaluate("it => it.getBoundingClientRect().top >= 0 && it.getBoundingClientRect().top < 400")
            chosen = [
                page.locator(f"select[name={name}]").input_value() for name in ("left", "right", "intent", "seed")
            ]
            assert chosen == ["scans", "dinm", "benign", "1"]
            page.reload()


def test_every_row_has_its_link_and_back_and_forward_follow(page: "Page") -> None:
    choose(page, "intent", "benign")
    shown(page, "1 to 20 of 50 pairs")
    rows(page).nth(2).get_by_role("link", name="Link to this prompt").click()
    page.locator("[aria-current]").wait_for()
    assert page.url.endswith("#replies?left=default&right=scans&intent=benign&prompt=" + key(3).replace("/", "%2F"))
    page.get_by_role("link", name="Methods").click()
    assert page.url.endswith("#methods")
    shown(page, "1 to 20 of 50 pairs")
    page.go_back()
    page.locator("[aria-current]").wait_for()
    page.go_back()
    page.locator("[aria-current]").wait_for(state="detached")
    shown(page, "1 to 20 of 50 pairs")
    page.go_back()
    shown(page, "1 to 20 of 100 pairs")
    page.go_forward()
    shown(page, "1 to 20 of 50 pairs")
    assert page.locator("select[name=intent]").input_value() == "benign"


def test_what_a_link_names_in_vain_is_told_in_one_line(chromium: "Browser", path: Path) -> None:
    link = "#replies?left=default&right=gone&benchmark=nowhere&prompt=benign/abc/0"
    with opened(chromium, path, link) as page:
        told = 'The link names what is not here: right "gone", benchmark "nowhere", prompt "benign/abc/0".'
        page.get_by_text(told, exact=True).wait_for()
        shown(page, "1 to 20 of 100 pairs")


def test_an_ordinary_anchor_leaves_the_view_alone(chromium: "Browser", path: Path) -> None:
    with opened(chromium, path, "#methods") as page:
        shown(page, "1 to 20 of 100 pairs")
        assert page.locator("#problem").inner_text() == ""
        assert page.url.endswith("#methods")


def heading(page: "Page") -> str:
    return str(page.evaluate("document.activeElement.querySelector('h3')?.textContent || ''"))


def test_j_and_k_walk_along_the_pairs_over_pages_but_not_in_fields(page: "Page") -> None:
    page.get_by_label("Search").focus()
    page.keyboard.type("jk")
    shown(page, "No pair matches.")
    page.get_by_role("button", name="Clear filters").focus()
    page.keyboard.press("Enter")
    shown(page, "1 to 20 of 100 pairs")
    page.keyboard.press("j")
    assert heading(page) == "attacked 1, seed 0"
    for _ in range(20):
        page.keyboard.press("j")
    assert heading(page) == "attacked 11, seed 0"
    shown(page, "21 to 40 of 100 pairs")
    page.keyboard.press("k")
    assert heading(page) == "attacked 10, seed 1"
    assert page.url.endswith(key(18, 1).replace("/", "%2F"))
    page.keyboard.press("Control+j")
    assert heading(page) == "attacked 10, seed 1"


def test_everything_in_the_view_is_reached_by_tab_and_seen(page: "Page") -> None:
    page.locator("select[name=left]").focus()
    met = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        met.add(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
        assert page.evaluate("document.activeElement.matches(':focus-visible')")
    assert {"right", "flips", "benchmark", "search", "Clear filters", "Next", "Link to this prompt"} <= met
    assert "Harmful request, hidden. Show it and the replies" in met


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_the_view(chromium: "Browser", path: Path, scheme: Literal["light", "dark"]) -> None:
    with opened(chromium, path, LINK + key(1)) as page:
        page.emulate_media(color_scheme=scheme)
        page.get_by_label("Show all harmful text").check()
        page.locator("#pairs ins").nth(15).wait_for()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        levels = page.locator("#replies :is(h2, h3, h4)").evaluate_all(
            "all => all.map((one) => Number(one.tagName[1]))"
        )
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_hostile_and_endless_replies_are_shown_as_text(
    chromium: "Browser", comparison: Comparison, tmp_path: Path
) -> None:
    line = "x" * 19_999 + "\U0001f600" + "y" * 1_000_000
    told = [sample("default", 1, HOSTILE, "complied"), sample("scans", 1, line, "complied")]
    with opened(chromium, written(comparison, tmp_path, told, ["default", "scans"])) as page:
        left, right = page.locator(".side").first, page.locator(".side").last
        left.wait_for()
        assert "\\u202egnp.exe \\u0000 \\ud800" in left.inner_text()
        assert page.locator("img").count() == 0
        assert len(right.locator("[data-field=text]").text_content() or "") == 20_000
        right.get_by_role("button", name="Show all 1,020,000 characters").click()
        page.wait_for_timeout(50)
        assert right.locator("[data-field=text]").text_content() == line


def test_texts_too_different_are_not_marked_and_equal_ones_are_told(
    chromium: "Browser", comparison: Comparison, tmp_path: Path
) -> None:
    long = [" ".join(f"{word}{number}" for number in range(2_000)) for word in ("a", "b")]
    told = [
        sample("default", 1, long[0], "complied"),
        sample("scans", 1, long[1], "complied"),
        sample("default", 3, "Same.", "complied"),
        sample("scans", 3, "Same.", "complied"),
    ]
    with opened(chromium, written(comparison, tmp_path, told, ["default", "scans"])) as page:
        page.get_by_text("The replies are too different to mark words.").wait_for()
        page.get_by_text("Both replies are the same.").wait_for()
        assert page.locator("#pairs :is(ins, del)").count() == 0


def test_a_page_over_its_budget_says_what_it_leaves_out_and_counts_flips_over_all(
    chromium: "Browser", comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "MOST_REPLIES", 50)
    path = written(comparison, tmp_path, samples(), ["default", "dinm", "scans"])
    with opened(chromium, path) as page:
        shown(page, "1 to 20 of 24 pairs")
        told = (
            "Of 200 replies this page leaves out 152: it holds those to the first 6 prompts of each benchmark. All are "
            "in the run's folder, replies/ARM/seed-N/BENCHMARK.jsonl; flips are counted over all."
        )
        assert page.get_by_text(told).count() == 1
        assert "26 of 100 pairs flip" in page.locator("#flips").inner_text()


def test_unfinished_arms_are_told_and_their_gaps_shown(
    chromium: "Browser", comparison: Comparison, tmp_path: Path
) -> None:
    told = [
        one
        for one in samples()
        if one.arm == "default" or (one.arm, one.seed, one.prompt_id) == ("scans", 0, "plain 1")
    ]
    path = written(comparison, tmp_path, told, ["default", "scans", "dinm"])
    with opened(chromium, path) as page:
        note = "Not finished: scans lacks 49 of 50; dinm has no replies."
        assert page.get_by_text(note, exact=True).count() == 1
        choose(page, "benchmark", "benign")
        shown(page, "1 to 20 of 25 pairs")
        assert "This arm has not answered this prompt." in rows(page).nth(1).inner_text()
        choose(page, "flips", "all")
        shown(page, "No pair matches.")


def test_a_run_of_one_arm_shows_its_replies(chromium: "Browser", comparison: Comparison, tmp_path: Path) -> None:
    told = [one for one in samples() if one.arm == "default"]
    with opened(chromium, written(comparison, tmp_path, told, ["default"])) as page:
        assert page.get_by_text("Only default has replies so far: there is nothing to hold it against.").count() == 1
        shown(page, "1 to 20 of 50 pairs")
        choose(page, "intent", "benign")
        page.locator(".side").first.wait_for()
        assert rows(page).first.locator(".side").count() == 1


def test_a_run_without_replies_says_so(chromium: "Browser", comparison: Comparison, tmp_path: Path) -> None:
    with opened(chromium, written(comparison, tmp_path, [], ["default", "scans"])) as page:
        assert page.get_by_text("This run holds no replies yet.").count() == 1
        assert page.locator("#pairs-view").count() == 0


def test_a_browser_that_cannot_unpack_says_what_it_lacks(chromium: "Browser", path: Path) -> None:
    page = chromium.new_page()
    page.add_init_script("delete self.DecompressionStream")
    page.goto(path.as_uri())
    assert re.match("This browser cannot unpack the replies", page.locator("#lacking").inner_text())
    assert page.locator("#pairs-view").is_hidden()
    page.close()


def test_paper_has_a_line_instead_of_the_view(page: "Page") -> None:
    page.emulate_media(media="print")
    assert page.locator("#pairs-view").is_hidden()
    assert page.get_by_text("Replies are not printed").is_visible()
