from itertools import pairwise
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.conformance.families import FAMILIES
from methods.residual import READ_AT_ONCE
from methods.scans.classification import Classifier, balanced_accuracy, choose_threshold
from methods.scans.vectors import read_landmarks
from tests.methods import literal_scans
from tests.methods.tiny_models import embedded_data, tiny

HARMFUL = embedded_data().harmful()[148:152]
PROMPTS = [embedded_data().dev[index] for index in (3, 70, 130, 200)]
LABELLED = st.lists(st.tuples(st.floats(-1, 1, width=32), st.booleans()), min_size=2, max_size=12).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def literal_accuracy(pairs: list[tuple[float, bool]], threshold: float) -> float:
    harmful = [value >= threshold for value, label in pairs if label]
    benign = [value < threshold for value, label in pairs if not label]
    return (sum(harmful) / len(harmful) + sum(benign) / len(benign)) / 2


def chosen(pairs: list[tuple[float, bool]]) -> float:
    return choose_threshold(torch.tensor([value for value, _ in pairs]), torch.tensor([label for _, label in pairs]))


@pytest.mark.parametrize("start", ["last_prompt_token", "user_end"])
@pytest.mark.parametrize("family", FAMILIES)
def test_similarity_is_the_mean_cosine_between_transitions_by_the_letter(family: str, start: str) -> None:
    model = tiny(family)
    reference = read_landmarks(model, HARMFUL, start).transition.mean(dim=0)[1:]
    found = Classifier(reference, start).similarities(model, PROMPTS)
    literal = [literal_scans.similarity(model, prompt, HARMFUL, start, first_layer=1) for prompt in PROMPTS]
    assert found.tolist() == pytest.approx(literal, abs=1e-4)
    assert max(literal) - min(literal) > 1e-3


def test_more_prompts_than_are_read_at_once_are_compared_in_order() -> None:
    model = tiny()
    prompts = embedded_data().dev[: READ_AT_ONCE + 3]
    classifier = Classifier(read_landmarks(model, HARMFUL, "user_end").transition.mean(dim=0), "user_end")
    alone = [float(classifier.similarities(model, [prompt])[0]) for prompt in prompts]
    assert classifier.similarities(model, prompts).tolist() == pytest.approx(alone, abs=1e-5)


@given(LABELLED)
def test_no_threshold_tells_the_prompts_apart_better(pairs: list[tuple[float, bool]]) -> None:
    values = sorted({value for value, _ in pairs})
    everywhere = [*values, *((low + high) / 2 for low, high in pairwise(values)), 2.0]
    best = max(literal_accuracy(pairs, threshold) for threshold in everywhere)
    assert literal_accuracy(pairs, chosen(pairs)) == pytest.approx(best)


@given(LABELLED, st.randoms())
def test_the_threshold_does_not_depend_on_the_order_of_the_prompts(
    pairs: list[tuple[float, bool]], shuffler: Random
) -> None:
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    assert chosen(shuffled) == chosen(pairs)


@given(LABELLED)
def test_balanced_accuracy_is_the_mean_of_both_shares(pairs: list[tuple[float, bool]]) -> None:
    similarities, labels = torch.tensor([value for value, _ in pairs]), torch.tensor([label for _, label in pairs])
    for threshold in (-1.0, 0.25, pairs[0][0]):
        assert balanced_accuracy(similarities, labels, threshold) == pytest.approx(literal_accuracy(pairs, threshold))


@pytest.mark.parametrize(("pairs", "threshold"), [
    ([(0.1, False), (0.3, False), (0.7, True), (0.9, True)], 0.5),
    ([(0.0, False), (0.25, True), (0.5, False), (1.0, True)], 0.75),
    ([(0.0, False), (0.5, True), (1.0, False), (1.5, True)], 0.25),
    ([(0.25, True), (0.75, False)], 0.25),
    ([(0.5, True), (0.5, False)], 0.5),
], ids=["middle of the gap", "wider gap of two equals", "lower of two like gaps", "inverted", "all alike"])  # fmt: skip
def test_the_threshold_of_small_tables(pairs: list[tuple[float, bool]], threshold: float) -> None:
    assert chosen(pairs) == pytest.approx(threshold)
