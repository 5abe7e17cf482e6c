import pytest

from benchmarks.base import Choices, Intent, Message, Prompt, Reply, Split
from metrics.base import Exchange
from metrics.parsed_choice import correct, parse_choice, unparsable
from metrics.registry import METRICS


@pytest.mark.parametrize(("text", "letter"), [
    ("B", "B"),
    ("B.", "B"),
    ("(C) Paris", "C"),
    ("**D**", "D"),
    ("D) because of the rain", "D"),
    (" A: the river", "A"),
    ("A\nIt is the river.", "A"),
    ("The answer is C.", "C"),
    ("the Answer is: (B)", "B"),
    ("Answer: D", "D"),
    ("The correct answer is option **A**.", "A"),
    ("A and B are wrong; the answer is C.", "C"),
    ("I would choose D here, not B.", "D"),
    ("A city in France is meant, so B.", "B"),
    ("It is 'C'", "C"),
    ("Answer: A good question. I take D.", "D"),
])  # fmt: skip
def test_a_letter_is_read_out_of_a_reply(text: str, letter: str) -> None:
    assert parse_choice(text, 4) == "ABCD".index(letter)


@pytest.mark.parametrize("text", [
    "", "Paris", "I cannot help with that.", "A city in France.", "E", "b", "C++ is a language", "D-Day", "Vitamin.B",
    "A's",
])  # fmt: skip
def test_a_reply_without_a_letter_names_no_option(text: str) -> None:
    assert parse_choice(text, 4) is None


def test_letters_beyond_the_options_mean_nothing() -> None:
    assert parse_choice("C", 2) is None
    assert parse_choice("E, I think", 5) == 4


def exchange(text: str, answer: int | None = 1) -> Exchange:
    choices = None if answer is None else Choices(("one", "two", "three", "four"), answer)
    prompt = Prompt("p", (Message("user", "q"),), Intent.BENIGN, "q", "q", "test", Split.TEST, choices=choices)
    return Exchange(prompt, Reply("p", text))


@pytest.mark.parametrize(("text", "is_right", "is_lost"), [("B", 1, 0), ("C", 0, 0), ("I cannot say.", 0, 1)])
def test_a_reply_without_a_letter_is_wrong_and_counted(text: str, is_right: int, is_lost: int) -> None:
    assert (correct(exchange(text)).value, unparsable(exchange(text)).value) == (is_right, is_lost)


def test_a_prompt_without_options_is_left_out() -> None:
    assert correct(exchange("B", None)).reason == unparsable(exchange("B", None)).reason == "the prompt has no options"


def test_a_task_score_that_is_no_share_is_left_out() -> None:
    asked = exchange("").prompt
    scores = [
        METRICS["task_score"].score(Exchange(asked, Reply("p", "", action=action)))
        for action in ({"task_score": 0.25}, {"task_score": 31.5}, {})
    ]
    assert [score.value for score in scores] == [0.25, None, None]
    assert [score.reason for score in scores[1:]] == [
        "the task's score is 31.5, no share",
        "the task's score is None, no share",
    ]
