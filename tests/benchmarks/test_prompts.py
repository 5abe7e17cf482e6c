from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import (
    AlignmentData,
    Attack,
    Benchmark,
    Intent,
    Kind,
    Message,
    Prompt,
    References,
    Split,
    content_hash,
)
from benchmarks.errors import UserError, unknown_name
from benchmarks.registry import load_alignment, load_benchmark


def prompt(number: int, split: Split = Split.TEST, intent: Intent = Intent.HARMFUL, question: str = "") -> Prompt:
    return Prompt(
        id=f"prompt-{number}",
        messages=(Message("system", "Be kind."), Message("user", f"You are a pirate. Question {number}?")),
        intent=intent,
        question_id=question or f"question-{number}",
        plain=f"Question {number}?",
        source="test",
        split=split,
        category="theft",
        attack=Attack(("pretending", "emotion control"), "pirate-1"),
        references=References("No.", "Yes.", None),
    )


def benchmark(count: int) -> Benchmark:
    prompts = tuple(prompt(number) for number in range(count))
    return Benchmark("toy", "Toy", Kind.GENERATION, Intent.HARMFUL, prompts, "test", "1", "none")


@pytest.mark.parametrize(("limit", "left"), [(None, 10), (1, 1), (7, 7), (7.0, 7), (0.25, 2), (0.3, 3), (99, 10)])
def test_a_limit_keeps_the_first_prompts_or_a_share_of_them(limit: int | float | None, left: int) -> None:
    whole = benchmark(10)
    limited = whole.limited(limit)
    assert limited.prompts == whole.prompts[:left]
    assert replace(limited, prompts=whole.prompts) == whole


@pytest.mark.parametrize("limit", [0, 0.01, -3])
def test_a_limit_that_leaves_nothing_is_refused(limit: int | float) -> None:
    with pytest.raises(UserError) as caught:
        benchmark(10).limited(limit)
    assert str(caught.value) == (
        f"--limit {limit} leaves no prompt of 'toy' (10 there). Give a whole number from 1, or a share between 0 and 1."
    )


@given(st.integers(1, 40), st.one_of(st.integers(1, 60), st.floats(0.02, 0.98)))
def test_a_limit_never_adds_or_reorders(count: int, limit: int | float) -> None:
    whole = benchmark(count)
    try:
        left = whole.limited(limit).prompts
    except UserError:
        assert isinstance(limit, float)
        assert round(limit * count) == 0
    else:
        assert 1 <= len(left) <= count
        assert left == whole.prompts[: len(left)]


def test_without_its_attack_a_prompt_is_the_plain_question() -> None:
    attacked = prompt(3)
    plain = attacked.without_attack()
    assert plain.messages == (Message("user", "Question 3?"),)
    assert plain.attack is None
    assert plain.id == "prompt-3/plain"
    kept = replace(plain, id=attacked.id, messages=attacked.messages, attack=attacked.attack)
    assert kept == attacked


def test_an_attack_of_one_strategy_is_single() -> None:
    assert Attack(("pretending",), "pirate").is_single
    assert not Attack(("pretending", "emotion control"), "pirate").is_single


def test_equal_prompts_have_equal_hashes_and_any_change_another() -> None:
    whole = benchmark(3)
    assert whole.content_hash == benchmark(3).content_hash
    first, *rest = whole.prompts
    changed = [
        replace(first, category="other"),
        replace(first, messages=(Message("user", "a"),)),
        replace(first, references=References("no.", "Yes.", None)),
        replace(first, attack=None),
    ]
    hashes = {whole.content_hash, *(content_hash((one, *rest)) for one in changed), content_hash((*rest, first))}
    assert len(hashes) == 6


def test_alignment_data_is_hashed_over_both_splits() -> None:
    train, dev = (prompt(1, Split.TRAIN),), (prompt(2, Split.DEV),)
    assert AlignmentData("a", train, dev).content_hash == AlignmentData("b", train, dev).content_hash
    assert AlignmentData("a", train, ()).content_hash != AlignmentData("a", train, dev).content_hash


@pytest.mark.parametrize(("train", "dev", "text"), [
    ([Split.TEST], [], "'prompt-0' is not a train prompt: alignment data holds train and dev prompts only"),
    ([Split.DEV], [], "'prompt-0' is not a train prompt: alignment data holds train and dev prompts only"),
    ([], [Split.TEST], "'prompt-100' is not a dev prompt: alignment data holds train and dev prompts only"),
    ([], [Split.TRAIN], "'prompt-100' is not a dev prompt: alignment data holds train and dev prompts only"),
])  # fmt: skip
def test_alignment_data_refuses_prompts_of_another_split(train: list[Split], dev: list[Split], text: str) -> None:
    with pytest.raises(ValueError, match="alignment data") as caught:
        AlignmentData(
            "toy",
            tuple(prompt(number, split) for number, split in enumerate(train)),
            tuple(prompt(100 + number, split) for number, split in enumerate(dev)),
        )
    assert str(caught.value) == text


def test_alignment_data_refuses_a_question_in_both_splits() -> None:
    with pytest.raises(ValueError, match="split is by question") as caught:
        _shared()
    assert str(caught.value) == "question 'same' is in train and in dev: the split is by question"


def _shared() -> AlignmentData:
    return AlignmentData(
        "alignment", (prompt(1, Split.TRAIN, question="same"),), (prompt(2, Split.DEV, question="same"),)
    )


def test_alignment_data_is_read_by_intent_and_split() -> None:
    bad, good = prompt(1, Split.TRAIN), prompt(2, Split.TRAIN, Intent.BENIGN)
    later = prompt(3, Split.DEV)
    data = AlignmentData("toy", (bad, good), (later,))
    assert (data.harmful(), data.benign()) == ((bad,), (good,))
    assert (data.harmful(Split.DEV), data.benign(Split.DEV)) == ((later,), ())
    for ask in (data.harmful, data.benign):
        with pytest.raises(ValueError, match="alignment data holds no test prompts"):
            ask(Split.TEST)


def test_an_unknown_name_is_told_with_the_nearest_and_with_all() -> None:
    assert str(unknown_name("metric", "entropi", ["refusal", "entropy"])) == (
        "No metric named 'entropi'. Did you mean 'entropy'? Available: entropy, refusal."
    )
    assert str(unknown_name("metric", "zzz", ["refusal", "entropy"])) == (
        "No metric named 'zzz'. Available: entropy, refusal."
    )


def test_an_unknown_benchmark_or_alignment_set_is_refused() -> None:
    with pytest.raises(UserError, match=r"^No benchmark named 'embedded_atacked'. Did you mean 'embedded_attacked'\? "):
        load_benchmark("embedded_atacked")
    with pytest.raises(UserError, match=r"^No alignment data named 'zzz'\. Available: advbench, .*, embedded, "):
        load_alignment("zzz")
