from dataclasses import replace

import pytest

from benchmarks.base import Benchmark, Choices, Intent, Kind, Reply
from harness.answers import Answers
from harness.columns import make_columns
from harness.plan import Cell
from harness.scores import ScoreTable
from metrics.base import Exchange
from metrics.registry import METRICS
from tests.harness.fakes import prompt

CATEGORIES = ("art", "art", "art", "rivers")
RIGHT = (True, True, False, False)
PROMPTS = tuple(
    replace(prompt(number, Intent.BENIGN, choices=Choices(("a", "b"), 0)), category=category)
    for number, category in enumerate(CATEGORIES)
)
BENCHMARK = Benchmark("facts", "facts", Kind.MULTIPLE_CHOICE, Intent.BENIGN, PROMPTS, "fakes", "1", "CC0")


def estimate(metric: str) -> tuple[float | None, int]:
    exchanges = tuple(
        Exchange(one, Reply(one.id, "A", option_log_probabilities=(-1.0, -2.0) if right else (-2.0, -1.0)))
        for one, right in zip(PROMPTS, RIGHT, strict=True)
    )
    table = ScoreTable(Answers((BENCHMARK,), {Cell("default", 0, "facts"): exchanges}))
    scores = table.of_benchmark("default", "facts", metric)
    assert scores is not None
    found = METRICS[metric].estimate(scores)
    return found.value, found.n


def test_micro_accuracy_counts_questions_and_macro_accuracy_subjects() -> None:
    assert estimate("accuracy") == (0.5, 4)
    assert estimate("macro_accuracy") == (pytest.approx((2 / 3 + 0) / 2), 2)


def test_a_benchmark_of_one_subject_has_no_macro_accuracy() -> None:
    alike = replace(BENCHMARK, prompts=tuple(replace(one, category="art") for one in PROMPTS))
    assert [column.metric for column in make_columns([BENCHMARK], [])] == ["accuracy", "macro_accuracy"]
    assert [column.metric for column in make_columns([alike], [])] == ["accuracy"]
