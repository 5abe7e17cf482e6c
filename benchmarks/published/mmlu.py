"""The rows of MMLU (Hendrycks et al., 2021): four options each, 57 subjects. `benchmarks/mmlu.py` asks them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.errors import UserError
from benchmarks.sources import Fetched, Source
from benchmarks.tables import Row

_LETTERS = "ABCD"
_HEADER = ("question", *_LETTERS, "answer")

TEST = Source(
    title="MMLU",
    hub="cais/mmlu",
    config="all",
    split="test",
    files=("mmlu/mmlu_test", "mmlu/test"),
    rows=(14_042,),
    licence="MIT",
    header=_HEADER,
)
DEV = Source(
    title="MMLU",
    hub="cais/mmlu",
    config="all",
    split="dev",
    files=("mmlu/mmlu_dev", "mmlu/dev"),
    rows=(285,),
    licence="MIT",
    header=_HEADER,
)
"""Five solved questions a subject, for few-shot prompts."""


class MmluQuestion(NamedTuple):
    """One row, texts as published."""

    subject: str
    """For instance `abstract_algebra`."""
    number: int
    """Place within its subject, from 0."""
    text: str
    options: tuple[str, ...]
    answer: int
    """Index of the right option."""


def questions(fetched: Fetched) -> tuple[MmluQuestion, ...]:
    """The rows of the hub's table or of the authors' files, by subject.

    Raises:
        UserError: If a row lacks a column or an answer that has a meaning.
    """
    counts: Counter[str] = Counter()
    found = []
    for number, row in enumerate(fetched.rows, start=1):
        subject, options, answer = _subject(row, fetched), _options(row, fetched), _answer(row, number, fetched)
        found.append(MmluQuestion(subject, counts[subject], str(row["question"]), options, answer))
        counts[subject] += 1
    return tuple(sorted(found, key=lambda question: (question.subject, question.number)))


def _subject(row: Row, fetched: Fetched) -> str:
    return str(_cell(row, "subject", fetched))


def _options(row: Row, fetched: Fetched) -> tuple[str, ...]:
    """Of the hub a list, of the authors' files four columns."""
    if "choices" not in row and all(letter in row for letter in _LETTERS):
        return tuple(str(row[letter]) for letter in _LETTERS)
    options = _cell(row, "choices", fetched)
    if not isinstance(options, Sequence) or isinstance(options, str) or len(options) != len(_LETTERS):
        raise UserError(f"MMLU ({fetched.origin}) has the choices {options!r}; they must be four texts.")
    return tuple(map(str, options))


def _answer(row: Row, number: int, fetched: Fetched) -> int:
    """Of the hub an index, of the authors' files a letter."""
    answer = str(_cell(row, "answer", fetched)).strip()
    if answer not in _ANSWERS:
        raise UserError(
            f"Row {number} of MMLU ({fetched.origin}) has the answer '{answer}'; it must be A to D or 0 to 3."
        )
    return _ANSWERS[answer]


def _cell(row: Row, column: str, fetched: Fetched) -> object:
    if column not in row or "question" not in row:
        seen = ", ".join(f"'{name}'" for name in row)
        raise UserError(f"MMLU ({fetched.origin}) has no column '{column}' or 'question'. Its columns: {seen}.")
    return row[column]


_ANSWERS: Mapping[str, int] = {known: index for index, letter in enumerate(_LETTERS) for known in (letter, str(index))}
