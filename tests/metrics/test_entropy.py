import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import entropy
from metrics.base import Exchange
from metrics.entropy import ceiling, ngram_entropy, shannon
from metrics.tokens import ngrams, words

Build = Callable[..., Exchange]
TOKENS = st.lists(st.sampled_from("abcde"), max_size=60)
SCORES = (
    entropy.entropy,
    entropy.entropy_unigram,
    entropy.entropy_first_100,
    entropy.entropy_unigram_first_100,
)


def literal_entropy(tokens: list[str], n: int) -> float:
    """-sum f ln f / ln 2 over the n-grams, as the formula is written."""
    grams = [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    frequencies = [count / len(grams) for count in Counter(grams).values()] if grams else []
    return -sum(f * math.log(f) for f in frequencies) / math.log(2)


def literal_fluency(tokens: list[str]) -> float:
    return ((2 / 3) * literal_entropy(tokens, 2) + (4 / 3) * literal_entropy(tokens, 3)) / 2


@given(TOKENS)
def test_ngram_entropy_is_the_literal_formula(tokens: list[str]) -> None:
    assert ngram_entropy(tokens) == pytest.approx(literal_fluency(tokens), abs=1e-12)
    assert shannon(tokens) == pytest.approx(literal_entropy(tokens, 1), abs=1e-12)


@given(TOKENS)
def test_entropy_lies_between_zero_and_its_ceiling(tokens: list[str]) -> None:
    assert 0 <= ngram_entropy(tokens) <= ceiling(len(tokens)) + 1e-12


@given(st.integers(3, 500))
def test_a_text_without_any_repetition_reaches_the_ceiling(length: int) -> None:
    tokens = [str(index) for index in range(length)]
    expected = math.log2(length - 1) / 3 + 2 * math.log2(length - 2) / 3
    assert ngram_entropy(tokens) == pytest.approx(expected) == pytest.approx(ceiling(length))


@given(TOKENS)
def test_renaming_the_words_changes_nothing(tokens: list[str]) -> None:
    assert ngram_entropy([token.upper() for token in tokens]) == ngram_entropy(tokens)


@given(st.integers(3, 50))
def test_one_word_over_and_over_has_no_entropy(length: int) -> None:
    assert ngram_entropy(["la"] * length) == shannon(["la"] * length) == 0


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_an_empty_reply_scores_zero_and_is_not_left_out(score: Callable[[Exchange], object], exchange: Build) -> None:
    assert score(exchange("")) == score(exchange(" \n")) == entropy.Score(0.0)


def test_a_reply_without_any_ngram_scores_zero(exchange: Build) -> None:
    assert entropy.entropy(exchange("No")).value == 0


def test_known_values(exchange: Build) -> None:
    assert entropy.entropy_unigram(exchange("a b a b")).value == pytest.approx(1)
    bigrams = math.log2(3) - 2 / 3  # ab twice, ba once
    assert entropy.entropy(exchange("a b a b")).value == pytest.approx(bigrams / 3 + 2 / 3)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["red", "green", "blue", "dog"]), min_size=100, max_size=160))
def test_length_matched_scores_look_at_the_first_hundred_words_alone(tokens: list[str]) -> None:
    matched = ngram_entropy(words(" ".join(tokens))[: entropy.MATCHED_LENGTH])
    assert matched == ngram_entropy(tokens[:100])


def test_length_matched_scores_differ_only_for_longer_replies(exchange: Build) -> None:
    short, long = (exchange(" ".join(f"word{index}" for index in range(count))) for count in (100, 200))
    assert entropy.entropy_first_100(short) == entropy.entropy(short) == entropy.entropy_first_100(long)
    assert entropy.entropy(long).value == pytest.approx(ceiling(200))
    assert entropy.entropy_unigram_first_100(long).value == pytest.approx(math.log2(100))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't do it.", ["I", "ca", "n't", "do", "it", "."]),
        ("It\u2019s o'clock", ["It", "\u2019s", "o'clock"]),
        ("They cannot, we've", ["They", "can", "not", ",", "we", "'ve"]),
        ("3.5 of 1,000 at 3:30", ["3.5", "of", "1,000", "at", "3:30"]),
        ("well-known and/or (new)!", ["well-known", "and/or", "(", "new", ")", "!"]),
        ("so... yes -- no", ["so", "...", "yes", "--", "no"]),
        ("gr\u00fc\u00df dich", ["gr\u00fc\u00df", "dich"]),
        (" \n", []),
    ],
)
def test_words_follow_the_main_points_of_the_treebank_rules(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(max_size=80))
def test_words_keep_every_character_but_white_space_in_order(text: str) -> None:
    assert "".join(words(text)) == "".join(text.split())


@given(TOKENS, st.integers(1, 12))
def test_there_is_one_ngram_less_with_every_step_of_n(tokens: list[str], n: int) -> None:
    assert ngrams(tokens, n) == [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
