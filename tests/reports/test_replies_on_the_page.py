import base64
import gzip
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import Intent
from reports import side_by_side
from reports.base import Comparison, Sample
from reports.foreign import visible
from reports.packing import Distinct, packed
from reports.reply_grid import beside, fitting, grid, moves
from tests.reports.conftest import arm

VENDORED = {"diff.min.js": "b51a9d2885f2c090dc97b981027395f7e7e6558a46c75ae3747db267913a89ab"}
"""jsdiff 9.0.0, `dist/diff.min.js` of the npm package `diff`, as published."""

ANY_TEXT = st.text(st.characters(exclude_categories=[]))  # lone surrogates, too


def unpacked(text: str) -> Any:  # noqa: ANN401
    return json.loads(gzip.decompress(base64.b64decode(text)))


def sample(arm: str, number: int, seed: int = 0, verdict: str = "complied", reply: str = "Sure.") -> Sample:
    benchmark = f"set {number % 2}"
    question = f"Question {number}?"
    return Sample(benchmark, str(number), arm, seed, Intent.BENIGN, "", "", question, question, reply, verdict, "")


CELLS = st.dictionaries(
    st.tuples(st.sampled_from(["default", "a", "b"]), st.integers(0, 5), st.integers(0, 2)),
    st.tuples(st.sampled_from(["refused", "complied", "unsure"]), ANY_TEXT),
    max_size=30,
)
SAMPLES = CELLS.map(lambda cells: [sample(*key, *value) for key, value in cells.items()])


def held(told: Sequence[Sample], comparison: Comparison) -> tuple[Any, dict[str, Any]]:
    """The index and the columns by arm, as a page gets them."""
    made = side_by_side.side_by_side(
        replace(comparison, arms=tuple(map(arm, ("default", "a", "b"))), samples=tuple(told))
    )
    return unpacked(made.index), dict(zip(made.arms, map(unpacked, made.columns), strict=True))


def read_back(index: Any, columns: dict[str, Any]) -> set[tuple[str, str, str, int, str, str]]:  # noqa: ANN401
    """(benchmark, id, arm, seed, verdict, reply) of every reply of a page."""
    found = set()
    for name, column in columns.items():
        for (seed, prompt), verdict, reply in zip(
            product(column["seeds"], index["prompts"]), column["verdict"], column["reply"], strict=True
        ):
            if verdict >= 0:
                told = (index["verdicts"][verdict], column["replies"][reply])
                found.add((prompt["benchmark"], prompt["id"], name, seed, *told))
    return found


def as_told(told: Sequence[Sample]) -> set[tuple[str, str, str, int, str, str]]:
    return {(one.benchmark, one.prompt_id, one.arm, one.seed, one.verdict, visible(one.reply)) for one in told}


@given(told=SAMPLES)
def test_what_goes_into_the_page_comes_out(told: list[Sample], plain: Comparison) -> None:
    assert read_back(*held(told, plain)) == as_told(told)


@pytest.fixture(scope="module")
def plain() -> Comparison:
    return Comparison("tiny", (), (), {}, (), (0,), "keyword 1", {}, {})


@given(ANY_TEXT)
def test_any_text_is_packed_as_visible_shows_it_in_letters_that_html_takes_for_text(text: str) -> None:
    texts = Distinct()
    texts.place(text)
    letters = packed(texts.shown)
    assert unpacked(letters) == [visible(text)]
    assert letters.isascii() and not set(letters) & set("<>&\"'")


def test_a_line_of_a_megabyte_survives(plain: Comparison) -> None:
    line = "a\x00\ud800\u202e" * 250_000
    assert read_back(*held([sample("default", 0, reply=line)], plain)) == as_told([sample("default", 0, reply=line)])


def test_equal_comparisons_give_equal_bytes(comparison: Comparison) -> None:
    again = replace(comparison, samples=tuple(replace(one) for one in comparison.samples))
    assert side_by_side.side_by_side(again) == side_by_side.side_by_side(comparison)


def test_equal_replies_of_an_arm_and_a_prompt_that_stands_as_it_is_are_stored_once(plain: Comparison) -> None:
    index, columns = held([sample("default", number) for number in range(50)], plain)
    assert columns["default"]["replies"] == ["Sure."]
    assert {prompt["text"] for prompt in index["prompts"]} == {""}


def test_entropy_has_two_digits_and_is_nothing_where_it_is_not_finite(plain: Comparison) -> None:
    told = [replace(sample("a", n), entropy=bits) for n, bits in enumerate((5.126, None, math.nan))]
    assert sorted(held(told, plain)[1]["a"]["entropy"], key=str) == [5.13, None, None]


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        ([0], [0], [(0, 0)]),
        ([0], [0, 1], [(0, 0), (0, 1)]),
        ([0, 1], [2], [(0, 2), (1, 2)]),
        ([0, 1], [1, 2], [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_an_arm_of_one_seed_stands_beside_every_seed(
    left: list[int], right: list[int], pairs: list[tuple[int, int]]
) -> None:
    assert beside(left, right) == pairs


@given(SAMPLES)
def test_moves_are_those_counted_one_pair_at_a_time(told: list[Sample]) -> None:
    found = grid(told, ["default", "a", "b"])
    verdicts = list(found.verdicts)
    for (a, b), counts in moves(found).items():
        expected = [[0] * len(verdicts) for _ in verdicts]
        for (left, right), place in product(
            beside(list(found.arms[a]), list(found.arms[b])), range(len(found.prompts))
        ):
            one, other = found.arms[a].get(left, {}).get(place), found.arms[b].get(right, {}).get(place)
            if one and other:
                expected[verdicts.index(one.verdict)][verdicts.index(other.verdict)] += 1
        assert counts == expected


@given(SAMPLES, st.integers(0, 30), st.integers(0, 500))
def test_as_many_first_prompts_of_each_benchmark_fit_as_both_budgets_allow(
    told: list[Sample], replies: int, characters: int
) -> None:
    found = grid(told, ["default", "a", "b"])
    most = fitting(found, replies, characters)
    longest = max(found.positions, default=-1) + 1

    def fits(first: int) -> bool:
        within = {
            (p.benchmark, p.prompt_id) for p, at in zip(found.prompts, found.positions, strict=True) if at < first
        }
        answered = [one for one in told if (one.benchmark, one.prompt_id) in within]
        asked = {(one.benchmark, one.prompt_id): len(one.question) + len(one.prompt) for one in told}
        length = sum(len(one.reply) for one in answered) + sum(asked[key] for key in within)
        return len(answered) <= replies and length <= characters

    assert fits(most)
    assert most == longest or not fits(most + 1)


def test_ids_that_are_questions_are_not_what_a_link_says(plain: Comparison) -> None:
    index, _ = held([replace(sample("a", 1), prompt_id="How to forge a key?")], plain)
    assert index["prompts"][0]["link"] == hashlib.sha256(b"set 1/How to forge a key?").hexdigest()[:12]


def test_vendored_scripts_are_those_that_were_published_with_their_licence() -> None:
    vendor = resources.files("reports") / "assets" / "vendor"
    for name, digest in VENDORED.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
    assert "BSD 3-Clause License" in (vendor / "diff.LICENSE.txt").read_text(encoding="utf-8")
