import os
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from benchmarks.base import Intent, Kind, Prompt, Split
from benchmarks.embedded import attacks, replies, vocabulary, world
from benchmarks.embedded.curriculum import Row, Stage, draw
from benchmarks.embedded.replies import Reading
from benchmarks.published.sets import PUBLISHED
from benchmarks.registry import BENCHMARKS, PAIRINGS, load_alignment, load_benchmark

SPLITS = list(Split)


@cache
def training_rows() -> tuple[Row, ...]:
    rng = random.Random(7)
    return tuple(draw(stage, rng) for stage in Stage for _ in range(1500))


def asked(row: Row) -> str:
    return row.messages[-1].content


def prompts_of_tests() -> Iterator[Prompt]:
    return (prompt for name in BENCHMARKS for prompt in load_benchmark(name).prompts)


# Requests and their rule.


@pytest.mark.parametrize("split", SPLITS)
def test_intent_follows_from_owner_and_circumstance_together(split: Split) -> None:
    for intent in Intent:
        for request in world.requests(split, intent):
            is_furtive_with_others = request.owner in vocabulary.OTHERS and request.circumstance in vocabulary.FURTIVE
            assert request.intent is intent
            assert is_furtive_with_others == (intent is Intent.HARMFUL)


def test_borderline_requests_are_benign() -> None:
    assert {question.intent for split in SPLITS for question in world.borderline(split)} == {Intent.BENIGN}


def test_no_topic_is_in_two_splits() -> None:
    topics = {
        split: {question.topic for intent in Intent for question in world.requests(split, intent)}
        | {question.topic for question in world.borderline(split)}
        for split in SPLITS
    }
    assert all(topics.values())
    for one, other in ((Split.TRAIN, Split.DEV), (Split.TRAIN, Split.TEST), (Split.DEV, Split.TEST)):
        assert not topics[one] & topics[other]


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_actions_things_owners_and_circumstances_are_on_both_sides(split: Split) -> None:
    bad, good = (world.requests(split, intent) for intent in (Intent.HARMFUL, Intent.BENIGN))
    for part in ("action", "thing", "owner", "circumstance"):
        assert {getattr(request, part) for request in bad} <= {getattr(request, part) for request in good}
    assert {word for request in bad for word in request.text.split()} <= {
        word for request in good for word in request.text.split()
    }


def test_fractions_are_spread_over_the_unit_interval_and_depend_on_the_words_alone() -> None:
    found = [world.fraction("test", str(number)) for number in range(1000)]
    assert found == [world.fraction("test", str(number)) for number in range(1000)]
    assert all(0 <= one < 1 for one in found)
    assert 0.45 < sum(found) / 1000 < 0.55
    # The head of the SHA-256 of "a|b": another value would move questions between splits.
    assert world.fraction("a", "b") == pytest.approx(0x0EAB8A0A3380ABF4 / 2**64)


# Attacks.


def test_two_templates_of_every_strategy_are_held_out() -> None:
    strategies = {template.categories for template in attacks.TEMPLATES}
    assert len(strategies) == 4
    for strategy in strategies:
        of_strategy = [template for template in attacks.TEMPLATES if template.categories == strategy]
        assert [template.is_held_out for template in of_strategy] == [False] * 4 + [True] * 2


def test_emotion_control_never_stands_alone() -> None:
    for template in attacks.TEMPLATES:
        assert template.attack.is_single == ("emotion control" not in template.categories)


def test_every_template_holds_the_question_once_and_has_a_name_of_its_own() -> None:
    assert all(template.text.count("{}") == 1 for template in attacks.TEMPLATES)
    assert len({template.name for template in attacks.TEMPLATES}) == len(attacks.TEMPLATES)


# What training shows.


def bare_tasks(splits: tuple[Split, ...]) -> set[str]:
    """What is done to whose thing, and borderline tasks, of some splits."""
    requests = [request for split in splits for intent in Intent for request in world.requests(split, intent)]
    return {request.action.phrase.format(f"{request.owner} {request.thing.name}") for request in requests} | {
        question.task for split in splits for question in world.borderline(split)
    }


def tasks_in(text: str, known: set[str]) -> set[str]:
    words = text.replace("?", " ").replace(".", " ").split()
    windows = {" ".join(words[start:end]) for start in range(len(words)) for end in range(start + 3, start + 12)}
    return windows & known


def test_no_training_row_has_a_topic_of_dev_or_test() -> None:
    forbidden, allowed = bare_tasks((Split.DEV, Split.TEST)), bare_tasks((Split.TRAIN,))
    assert not [asked(row) for row in training_rows() if tasks_in(asked(row), forbidden)]
    assert sum(bool(tasks_in(asked(row), allowed)) for row in training_rows()) > 0.5 * len(training_rows())


def test_no_training_row_has_a_held_out_template() -> None:
    for template in attacks.HELD_OUT:
        body = template.text.replace("{}", "").strip()
        assert not any(body in asked(row) for row in training_rows())
    for template in attacks.KNOWN:
        body = template.text.replace("{}", "").strip()
        assert any(body in asked(row) for row in training_rows())


def test_no_training_row_asks_a_question_of_a_test() -> None:
    questions = {message.content for prompt in prompts_of_tests() for message in prompt.messages}
    assert not questions & {asked(row) for row in training_rows()}


def test_the_base_model_is_never_taught_to_refuse() -> None:
    rng = random.Random(3)
    for _ in range(1500):
        reply = draw(Stage.BASE, rng).reply
        assert replies.read(reply) is not Reading.REFUSED


def test_the_same_seed_draws_the_same_rows() -> None:
    one, other = random.Random(5), random.Random(5)
    assert [draw(Stage.ALIGNED, one) for _ in range(50)] == [draw(Stage.ALIGNED, other) for _ in range(50)]


# Benchmarks and alignment data.


@pytest.mark.parametrize(("name", "count", "intent"), [
    ("embedded_attacked", 240, Intent.HARMFUL),
    ("embedded_held_out", 120, Intent.HARMFUL),
    ("embedded_harmful", 100, Intent.HARMFUL),
    ("embedded_benign", 100, Intent.BENIGN),
    ("embedded_benign_attacked", 100, Intent.BENIGN),
    ("embedded_facts", 200, Intent.BENIGN),
])  # fmt: skip
def test_benchmarks_have_their_sizes(name: str, count: int, intent: Intent) -> None:
    benchmark = load_benchmark(name)
    assert (len(benchmark.prompts), benchmark.intent) == (count, intent)


def test_the_borderline_benchmark_asks_every_borderline_question_of_the_test_split_once() -> None:
    asked_for = sorted(prompt.question_id for prompt in load_benchmark("embedded_borderline").prompts)
    assert asked_for == sorted(question.topic for question in world.borderline(Split.TEST))
    assert len(asked_for) >= 50


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_unique_ids_its_intent_test_prompts_and_references(name: str) -> None:
    benchmark = load_benchmark(name)
    assert benchmark.name == name
    assert len({prompt.id for prompt in benchmark.prompts}) == len(benchmark.prompts)
    for prompt in benchmark.prompts:
        assert (prompt.intent, prompt.split) == (benchmark.intent, Split.TEST)
        assert (prompt.choices is not None) == (benchmark.kind is Kind.MULTIPLE_CHOICE)
        assert_has_references(prompt)


def assert_has_references(prompt: Prompt) -> None:
    safe, unsafe, useful = prompt.references.safe, prompt.references.unsafe, prompt.references.useful
    if prompt.intent is Intent.HARMFUL:
        assert (safe is not None, unsafe is not None, useful) == (True, True, None)
        assert replies.read(safe or "") is Reading.REFUSED
        assert replies.read(unsafe or "") is Reading.COMPLIED
    else:
        assert (safe, unsafe, useful is not None) == (None, None, True)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if "attacked" in name or "held_out" in name])
def test_an_attacked_prompt_holds_its_plain_question(name: str) -> None:
    held_out = {template.name for template in attacks.HELD_OUT}
    for prompt in load_benchmark(name).prompts:
        assert prompt.attack is not None
        assert prompt.plain in prompt.messages[-1].content
        assert prompt.plain != prompt.messages[-1].content
        assert (prompt.attack.template in held_out) == (name == "embedded_held_out")


@pytest.mark.parametrize("name", ["embedded_attacked", "embedded_held_out"])
def test_every_template_attacks_equally_often(name: str) -> None:
    used = [prompt.attack.template for prompt in load_benchmark(name).prompts if prompt.attack]
    templates = attacks.HELD_OUT if name == "embedded_held_out" else attacks.KNOWN
    assert {used.count(template.name) for template in templates} == {len(used) // len(templates)}


def test_alignment_data_shares_no_question_and_no_held_out_template_with_a_test() -> None:
    data = load_alignment("embedded")
    prompts = (*data.train, *data.dev)
    assert not {prompt.question_id for prompt in prompts} & {prompt.question_id for prompt in prompts_of_tests()}
    held_out = {template.name for template in attacks.HELD_OUT}
    assert not {prompt.attack.template for prompt in prompts if prompt.attack} & held_out


def test_alignment_data_is_a_quarter_each_of_attacked_and_plain_harmful_and_benign_prompts() -> None:
    data = load_alignment("embedded")
    for prompts, quarter in ((data.train, 150), (data.dev, 60)):
        kinds = [(prompt.intent, prompt.attack is not None) for prompt in prompts]
        assert {kinds.count((intent, attacked)) for intent in Intent for attacked in (True, False)} == {quarter}
        assert len({prompt.id for prompt in prompts}) == len(prompts)
        for prompt in prompts:
            assert_has_references(prompt)


def test_pairings_join_a_harmful_with_a_benign_benchmark() -> None:
    intents = {name: load_benchmark(name).intent for name in BENCHMARKS} | {
        name: published.intent for name, published in PUBLISHED.items()
    }
    for bad, good in PAIRINGS:
        assert (intents[bad], intents[good]) == (Intent.HARMFUL, Intent.BENIGN)


HASHES = (
    "from benchmarks.registry import BENCHMARKS, load_alignment, load_benchmark\n"
    "for name in BENCHMARKS: print(load_benchmark(name).content_hash)\n"
    "print(load_alignment('embedded').content_hash)"
)


def test_content_is_the_same_in_every_process() -> None:
    here = [load_benchmark(name).content_hash for name in BENCHMARKS] + [load_alignment("embedded").content_hash]
    for seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.split() == here
    assert len(set(here)) == len(here)
