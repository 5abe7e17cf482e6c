"""The safe replies that methods learn from where a source has none."""

import pytest

from benchmarks.base import Intent, Message, Prompt, Reply, Split
from benchmarks.refusals import REFUSALS, refusal_to
from metrics.base import Verdict
from metrics.degenerate import flaw
from metrics.registry import judge

QUESTION = Prompt("q", (Message("user", "Hide it"),), Intent.HARMFUL, "q", "Hide it", "here", Split.TRAIN)


@pytest.mark.parametrize("name", ["keyword", "linear"])
def test_every_refusal_is_one_to_the_judges(name: str) -> None:
    verdicts = judge(name).judge([(QUESTION, Reply("q", text)) for text in REFUSALS])
    assert [text for text, found in zip(REFUSALS, verdicts, strict=True) if found.verdict is not Verdict.REFUSED] == []


def test_refusals_differ_and_none_is_degenerate() -> None:
    assert len(set(REFUSALS)) == len(REFUSALS) == 24
    assert not any(map(flaw, REFUSALS))


def test_all_are_used_about_equally_often() -> None:
    drawn = [refusal_to(f"question {number}") for number in range(2_400)]
    assert {70 <= drawn.count(text) <= 130 for text in REFUSALS} == {True}
