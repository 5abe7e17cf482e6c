"""The loaders on the files as published, where EQUIPOISE_DATA names a folder of them."""

import os
from pathlib import Path

import pytest

from benchmarks.base import Kind, Split
from benchmarks.leakage import shared_templates, without_learnt
from benchmarks.registry import load_alignment, load_benchmark

DATA = Path(os.environ.get("EQUIPOISE_DATA", "absent"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="EQUIPOISE_DATA names no folder of published files")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("advbench", 520),
        ("advbench_456", 456),
        ("alpaca_100", 100),
        ("truthfulqa", 817),
        ("truthfulqa_753", 753),
        ("mmlu_zero_shot", 14_042),
        ("xstest_safe", 250),
        ("xstest_unsafe", 200),
        ("jailbreakbench", 100),
        ("harmbench", 200),
    ],
)
def test_published_files_hold_what_was_published(name: str, count: int) -> None:
    benchmark = load_benchmark(name)
    assert len(benchmark.prompts) == count
    assert len({prompt.id for prompt in benchmark.prompts}) == count
    assert all(prompt.plain.strip() for prompt in benchmark.prompts)


def test_the_subsets_of_these_files_are_these() -> None:
    names = ("advbench_456", "truthfulqa_753", "alpaca_100", "xstest_safe")
    assert [load_benchmark(name).content_hash[:16] for name in names] == [
        "a1e947cc7728cde1",
        "f2fe2c3fae2f8467",
        "0deab87db10243a3",
        "9d5fbdc53e619a77",
    ]


def test_mmlu_has_57_subjects_and_the_letters_of_its_files() -> None:
    benchmark = load_benchmark("mmlu_zero_shot")
    assert benchmark.kind is not Kind.GENERATION
    assert len({prompt.category for prompt in benchmark.prompts}) == 57
    answers = [prompt.choices.answer for prompt in benchmark.prompts if prompt.choices]
    assert [answers.count(index) for index in range(4)] == [3_222, 3_462, 3_582, 3_776]


def test_every_published_template_takes_every_question() -> None:
    attacked = load_benchmark("jailbreakbench[attack=gptfuzz,templates=all]")
    assert len(attacked.prompts) == 39 * 100
    assert all(prompt.plain in prompt.messages[-1].content for prompt in attacked.prompts)


def test_published_data_leave_the_subsets_whole_and_cost_the_others_their_anchors() -> None:
    data = load_alignment("advbench_anchors+truthfulqa_anchors")
    assert (len(data.train), len(data.dev)) == (104, 24)
    dropped = {
        name: without_learnt(load_benchmark(name), data).dropped
        for name in ("advbench_456", "advbench", "truthfulqa_753", "truthfulqa", "xstest_safe")
    }
    assert dropped == {"advbench_456": 0, "advbench": 64, "truthfulqa_753": 0, "truthfulqa": 64, "xstest_safe": 0}


TESTS = "advbench_456 jailbreakbench[attack=gptfuzz] xstest_safe xstest_unsafe alpaca_100 truthfulqa_753"


def test_published_data_leave_the_usual_tests_whole_and_their_templates_unseen() -> None:
    data = load_alignment("published")
    tests = [load_benchmark(name) for name in TESTS.split()]
    assert [without_learnt(test, data).dropped for test in tests] == [0] * len(tests)
    assert shared_templates(tests, data) == ()


def test_published_data_have_enough_of_every_kind_for_every_method() -> None:
    data = load_alignment("published")
    for split, least in ((Split.TRAIN, 64), (Split.DEV, 16)):
        for prompts in (data.harmful(split), data.benign(split)):
            attacked = [prompt for prompt in prompts if prompt.attack]
            assert len(attacked) == len(prompts) / 2 >= least
            assert len({prompt.source for prompt in prompts}) == 2
    assert all(prompt.references.safe for prompt in data.harmful())
