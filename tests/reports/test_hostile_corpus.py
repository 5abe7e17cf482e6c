"""Every text of `tests.hostile` as a reply, a prompt, a reason and a name: shown in full, obeyed nowhere."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.base import Intent
from reports import html
from reports.base import Comparison, Sample
from reports.foreign import UNSEEN, visible
from reports.paper import comma_separated, latex, markdown, page
from reports.paper.table import Cell, PaperTable, Row
from reports.registry import RENDERERS
from tests.browser import opened
from tests.hostile import FAMILIES, HOSTILE, LONGEST, SHORT
from tests.reports.conftest import arm
from tests.reports.test_paper_renderers import RATE, SCORE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = tuple(dict.fromkeys(SHORT.values()))
NAMED = tuple(
    next(text for text in texts.values() if text in NAMES) for name, texts in FAMILIES.items() if name != "sizes"
)
"""One a family: arms of a page with plots."""


def plain(text: str, word: str) -> str:
    """Harmless, as long at least, empty where the text is, and as breakable as a name."""
    return re.sub(r"[^-_+]+", word, text).rjust(len(text), "x")


HARMLESS = {name: plain(text, f"x{place}") for place, (name, text) in enumerate(HOSTILE.items())}


def sample(name: str, text: str) -> Sample:
    """Said, asked and, where it is not too long for it, told of the reply."""
    label = text if len(text) < LONGEST else ""
    return Sample(
        benchmark="attacked",
        prompt_id=name,
        arm="default",
        seed=0,
        intent=Intent.HARMFUL,
        category=label,
        attack=f"strategy: {label}",
        question=text,
        prompt=f"As asked: {text}",
        reply=text,
        verdict="complied",
        reason=label,
        action={"steered": label},
        strategies=(label,),
        template=label,
    )


def saying(comparison: Comparison, texts: Mapping[str, str]) -> Comparison:
    """The comparison with these replies and no others."""
    return replace(comparison, samples=tuple(sample(name, text) for name, text in texts.items()))


def named(comparison: Comparison, texts: tuple[str, ...]) -> Comparison:
    """The comparison with these names of arms, methods, models, judges and benchmarks."""
    arms = [replace(arm(text, failure=text), paper=text, deviations=(text,), settings={text: text}) for text in texts]
    numbers = [comparison.estimates["neurontune", column.key] for column in comparison.columns]
    estimates = {
        (one.name, column.key): number
        for one in arms
        for column, number in zip(comparison.columns, numbers, strict=True)
    }
    columns = tuple(replace(column, meaning=texts[0]) for column in comparison.columns)
    return replace(
        comparison,
        model=texts[0],
        judge=texts[-1],
        arms=(*comparison.arms[:2], *arms),
        columns=columns,
        estimates={**comparison.estimates, **estimates},
        provenance={"command": texts[-1], "versions": dict(zip(texts, texts, strict=True))},
    )


def obeyed_by_terminals(text: str) -> set[str]:
    """Control characters but newline, surrogates, and what else cannot be seen."""
    return {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs") and sign != "\n"} | set(
        UNSEEN.findall(text)
    )


@contextmanager
def shown(chromium: "Browser", text: str, folder: Path) -> Iterator["Page"]:
    """A page that is open; nothing may have run in it, asked for anything, or raised a complaint."""
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    with opened(chromium, path) as page:
        title = page.title()
        yield page
        assert page.evaluate("window.hostile === undefined && ({}).hostile === undefined")
        assert page.title() == title


def elements(page: "Page") -> dict[str, int]:
    """How many elements of each kind the page has."""
    return page.evaluate(  # type: ignore[no-any-return]
        """() => [...document.querySelectorAll("*")].reduce(
            (counts, one) => ({ ...counts, [one.nodeName]: (counts[one.nodeName] || 0) + 1 }), { __proto__: null })"""
    )


def walked(page: "Page") -> Iterator[Mapping[str, str]]:
    """Every reply of the page with all that is told of it, harmful ones too: the one place that knows the view."""
    page.locator("#reveal").check()
    following = page.locator(".turn[data-step='1']").first
    while True:
        page.wait_for_function("!document.querySelector('.reveal:not(template *)')")
        page.evaluate("document.querySelectorAll('#pairs .whole').forEach((button) => button.click())")
        yield from page.locator("#pairs > li").evaluate_all(
            """rows => rows.map((row) => Object.fromEntries(
                [...row.querySelectorAll("[data-field]")].map((one) => [one.dataset.field, one.textContent])))"""
        )
        if following.is_disabled():
            return
        following.dispatch_event("click")


def told(name: str, text: str) -> dict[str, str]:
    """What `walked` gives of a reply from which nothing was lost; what is empty has no place."""
    seen, label = visible(text), visible(text if len(text) < LONGEST else "")
    parts = {
        "id": f"Prompt {name}",
        "category": label,
        "attack": f"strategy: {label}",
        "question": seen or "(empty)",
        "asked": f"As asked: {seen}",
        "text": seen or "(empty)",
        "reason": label and f"Verdict because: {label}.",
        "action": f"Method: steered {label}.",
    }
    return {part: value for part, value in parts.items() if value}


def test_the_corpus_is_large_and_every_entry_is_its_own() -> None:
    assert len(HOSTILE) >= 100 and len(set(HOSTILE.values())) == len(HOSTILE)
    assert all(FAMILIES.values())


def test_every_hostile_reply_is_shown_in_full_and_nothing_of_it_runs(
    chromium: "Browser", comparison: Comparison, tmp_path: Path
) -> None:
    with shown(chromium, html.render(saying(comparison, HOSTILE)), tmp_path) as page:
        found = {card["id"].removeprefix("Prompt "): card for card in walked(page)}
        for name, text in HOSTILE.items():
            expected = told(name, text)
            wrong = [part for part, value in expected.items() if found[name].get(part) != value]
            assert not wrong, name


def test_hostile_replies_make_no_element_that_plain_ones_do_not(
    chromium: "Browser", comparison: Comparison, tmp_path: Path
) -> None:
    counted = []
    for texts in (HOSTILE, HARMLESS):
        with shown(chromium, html.render(saying(comparison, texts)), tmp_path) as page:
            counted.append([elements(page) for _ in walked(page)])
    assert counted[0] == counted[1]


def test_hostile_names_make_no_element_that_plain_ones_do_not(
    chromium: "Browser", comparison: Comparison, tmp_path: Path
) -> None:
    counted = []
    for names in (NAMED, tuple(plain(text, f"x{place}") for place, text in enumerate(NAMED))):
        with shown(chromium, html.render(named(comparison, names)), tmp_path) as page:
            counted.append(elements(page))
            missing = [name for name in names if visible(name) not in page.locator("body").text_content()]  # type: ignore[operator]
            assert not missing
    assert counted[0] == counted[1]


@pytest.mark.parametrize("name", ["terminal", "markdown"])
def test_no_text_report_holds_a_character_that_a_terminal_obeys(name: str, comparison: Comparison) -> None:
    for start in range(0, len(NAMES), 12):
        text = RENDERERS[name].render(named(comparison, NAMES[start : start + 12]))
        assert obeyed_by_terminals(text) == set()
        assert text.encode().decode() == text


@pytest.fixture
def table() -> PaperTable:
    """Every entry as a name, a caption and a note."""
    rows = tuple(Row((text, text), (Cell(RATE), Cell(SCORE, notes=(0,)))) for text in NAMES)
    return PaperTable("table2", " ".join(NAMES), ("Models", "Methods"), (RATE, SCORE), rows, NAMES)


@pytest.mark.parametrize("render", [comma_separated.render, latex.render, markdown.render])
def test_no_paper_table_holds_a_character_that_a_terminal_obeys(
    render: Callable[[PaperTable], str], table: PaperTable
) -> None:
    text = render(table)
    assert obeyed_by_terminals(text) == set()
    assert text.encode().decode() == text


def test_a_page_of_a_paper_table_has_no_element_that_a_plain_one_has_not(
    chromium: "Browser", table: PaperTable, tmp_path: Path
) -> None:
    harmless = replace(
        table,
        caption="x",
        rows=tuple(replace(row, names=(f"x{place}",) * 2) for place, row in enumerate(table.rows)),
        notes=tuple("x" for _ in table.notes),
    )
    counted = []
    for one in (table, harmless):
        with shown(chromium, page.render(one), tmp_path) as opened_page:
            counted.append(elements(opened_page))
    assert counted[0] == counted[1]


def test_no_cell_of_a_csv_file_is_a_formula(table: PaperTable) -> None:
    rows = list(csv.reader(io.StringIO(comma_separated.render(table))))
    assert len(rows) == 1 + len(NAMES)
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]


def test_latex_is_given_no_command_by_a_name() -> None:
    known = {command for sign in latex.SIGNS.values() for command in re.findall(r"\\(?:[a-zA-Z]+|.)", sign)}
    for text in NAMES:
        given = latex.escaped(text)
        assert set(re.findall(r"\\(?:[a-zA-Z]+|.)", given)) <= known
        assert given.isprintable()
