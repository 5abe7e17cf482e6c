"""The report of 20 arms x 10,000 replies, as large as it looks to a reader: `pytest -m speed -s -k page_of`.

Nothing is asserted of the times but that there is something to time.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from benchmarks.base import Intent
from reports import html
from reports.base import Comparison, Sample
from tests.browser import opened
from tests.reports.conftest import arm

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARMS = ("default", *(f"arm_{number}" for number in range(1, 20)))
PROMPTS = 10_000
WORDS = 60
SYLLABLES = ("ba", "co", "di", "fu", "ge", "ho", "ki", "la", "me", "no", "pi", "ru", "sa", "te", "vu", "zo")
WAITS = """async (change) => {
    const started = performance.now();
    const shown = document.getElementById("shown");
    await new Promise((resolve) => {
        new MutationObserver(resolve).observe(document.getElementById("pairs"), { childList: true });
        const control = document.querySelector(`#pairs-view [name=${change[0]}]`);
        control.value = change[1];
        control.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return [performance.now() - started, shown.textContent];
}"""
FILTERS = [
    ("flips", "all"),
    ("flips", "to refused"),
    ("flips", ""),
    ("benchmark", "set_1"),
    ("benchmark", ""),
    ("was", "refused"),
    ("is", "complied"),
    ("was", ""),
    ("is", ""),
    ("attack", "pretending"),
    ("attack", ""),
]
SEARCHES = [("search", "co"), ("search", "nothing like this"), ("search", "word 77"), ("search", "")]
TYPING_PAUSE = 150
"""Milliseconds that a search waits for the next letter."""


def vocabulary(draw: random.Random) -> tuple[list[str], list[float]]:
    """4,000 words whose frequencies fall as those of English do (Zipf's law)."""
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(4_000)]
    return words, [1 / rank for rank in range(1, len(words) + 1)]


def samples() -> Iterator[Sample]:
    draw = random.Random(0)
    words, frequencies = vocabulary(draw)
    for name in ARMS:
        for number in range(PROMPTS):
            attacked = number % 2 == 0
            yield Sample(
                benchmark=f"set_{number % 5}",
                prompt_id=f"prompt-{number}",
                arm=name,
                seed=0,
                intent=Intent.HARMFUL if attacked else Intent.BENIGN,
                category="",
                attack="pretending: story" if attacked else "",
                question=f"What about word {number}?",
                prompt=f"Pretend. What about word {number}?" if attacked else f"What about word {number}?",
                reply=" ".join(draw.choices(words, frequencies, k=WORDS)),
                verdict=draw.choice(("refused", "complied")),
                reason="the phrase decided",
                action={"steered": number % 2},
                tokens=WORDS + number % 30,
                entropy=4 + number % 200 / 100,
                strategies=("pretending", "role") if attacked else ("none",),
                template="story" if attacked else "",
            )


def unpacking(page: "Page") -> float:
    """Milliseconds from choosing an arm that was never chosen to its rows."""
    return float(page.evaluate(WAITS, ["right", ARMS[-1]])[0])


@pytest.mark.speed
def test_a_page_of_twenty_arms_and_ten_thousand_replies_each(chromium: "Browser", tmp_path: Path) -> None:
    told = tuple(samples())
    comparison = Comparison("tiny", tuple(map(arm, ARMS)), (), {}, told, (0,), "keyword 1", {}, {})
    started, worked = time.perf_counter(), time.process_time()
    text = html.render(comparison)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    with opened(chromium, path) as page:
        page.locator(".pair").first.wait_for(timeout=120_000)
        ready = page.evaluate("performance.now()")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        unpacked = unpacking(page)
        waits = [page.evaluate(WAITS, list(change)) for change in FILTERS]
        found = [page.evaluate(WAITS, list(change)) for change in SEARCHES]
    filters, searches = ([one[0] for one in many] for many in (waits, found))
    assert waits[-1][1] == found[-1][1] == "1 to 20 of 10,000 pairs"
    print(
        f"\n{len(told):,} replies of {WORDS} words: rendered in {seconds:.1f} s ({worked:.1f} s of one "
        f"core), {path.stat().st_size / 1e6:.1f} MB; first paint after {paint:.0f} ms, replies after {ready:.0f} ms; "
        f"an arm unpacked and shown in {unpacked:.0f} ms; "
        f"filters {median(filters):.0f} ms (worst {max(filters):.0f}); searches {median(searches):.0f} ms (worst "
        f"{max(searches):.0f}), of which {TYPING_PAUSE} ms wait for the next letter"
    )
