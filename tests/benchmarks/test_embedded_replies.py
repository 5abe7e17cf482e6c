import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import Choices, Intent, Split
from benchmarks.embedded import attacks, facts, replies, world
from benchmarks.embedded.replies import Reading

SPLITS = list(Split)
QUESTIONS = st.one_of(
    st.builds(lambda split, intent, at: _at(world.requests(split, intent), at),
              st.sampled_from(SPLITS), st.sampled_from(list(Intent)), st.floats(0, 0.999)),
    st.builds(lambda split, at: _at(world.borderline(split), at), st.sampled_from(SPLITS), st.floats(0, 0.999)),
)  # fmt: skip
TEMPLATES = st.sampled_from([None, *attacks.TEMPLATES])


def _at(questions: tuple[world.Question, ...], share: float) -> world.Question:
    return questions[int(share * len(questions))]


@given(QUESTIONS, TEMPLATES)
def test_every_helpful_reply_is_read_as_one(question: world.Question, template: attacks.Template | None) -> None:
    assert replies.read(replies.complying(question, template)) is Reading.COMPLIED


@given(QUESTIONS)
def test_every_refusal_is_read_as_one(question: world.Question) -> None:
    assert replies.read(replies.refusing(question)) is Reading.REFUSED


@given(QUESTIONS, TEMPLATES)
def test_a_refusal_that_tells_the_steps_all_the_same_is_unclear(
    question: world.Question, template: attacks.Template | None
) -> None:
    refusal, help_ = replies.refusing(question), replies.complying(question, template)
    assert replies.read(f"{refusal} {help_}") is Reading.UNCLEAR
    assert replies.read(f"{help_} {refusal}") is Reading.UNCLEAR


@pytest.mark.parametrize("text", ["", "the the the the", "Perhaps.", "A. The river of Abrel is Inn."])
def test_a_text_without_a_known_sentence_is_unclear(text: str) -> None:
    assert replies.read(text) is Reading.UNCLEAR


def test_every_fact_has_its_right_answer_among_four_distinct_options() -> None:
    questions = facts.test_questions()
    assert len(questions) == len(facts.FACTS) == len(facts.TOWNS) * len(facts.PROPERTIES) == 200
    for question in questions:
        assert len(set(question.choices.options)) == 4
        assert set(question.choices.options) <= set(facts.PROPERTIES[question.fact.relation])
        assert question.choices.options[question.choices.answer] == question.fact.value
        assert question.reply.startswith(f"{'ABCD'[question.choices.answer]}. ")
        assert question.reply.endswith(f" is {question.fact.value}.")


def test_answers_are_spread_over_the_letters() -> None:
    answers = [question.choices.answer for question in facts.test_questions()]
    assert all(30 <= answers.count(letter) <= 70 for letter in range(4))


@given(st.sampled_from(facts.FACTS), st.integers(0, 2**32), st.sampled_from(SPLITS))
def test_a_question_that_is_drawn_for_one_split_is_of_no_other(fact: facts.Fact, seed: int, split: Split) -> None:
    question = facts.draw(fact, split, random.Random(seed))
    assert question.split is split
    assert facts.FactQuestion(fact, Choices(question.choices.options, question.choices.answer)).split is split
    if split is Split.TRAIN:
        assert question.text not in {known.text for known in facts.test_questions()}
