"""From rows to prompts: which column holds what."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, TypeVar

from benchmarks.base import Attack, Intent, Message, Prompt, References, Split
from benchmarks.errors import UserError
from benchmarks.tables import Row

Names = tuple[str, ...]
T = TypeVar("T")

_SPLITS: Mapping[str, Split] = {
    "train": Split.TRAIN,
    "dev": Split.DEV,
    "val": Split.DEV,
    "valid": Split.DEV,
    "validation": Split.DEV,
    "test": Split.TEST,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names under which a table may keep each thing. Case, and a space for `_`, make no difference."""

    prompt: Names
    question: Names = ()
    """The question alone, where `prompt` holds it in a disguise."""
    context: Names = ()
    """Text that belongs below the prompt, such as the input of an instruction."""
    category: Names = ()
    id: Names = ()
    target: Names = ()
    """A reply that goes along with harm, or its beginning. Of a benign prompt it is not taken for a useful reply, since
    published ones only begin one ("Sure, here is ...")."""
    safe: Names = ()
    unsafe: Names = ()
    useful: Names = ()
    attack_category: Names = ()
    attack_name: Names = ()
    intent: Names = ()
    split: Names = ()


class Standard(NamedTuple):
    """What holds for every row that does not say otherwise."""

    name: str
    """Stands before the ids."""
    source: str
    intent: Intent
    split: Split | None
    """None: train or dev, by question."""


def make_prompts(
    rows: Sequence[Row], columns: Columns, standard: Standard, origin: str, required: Iterable[str] = ("prompt",)
) -> tuple[Prompt, ...]:
    """One prompt a row.

    Args:
        rows: All with the columns of the first.
        columns: Where things are.
        standard: What the rows do not say.
        origin: Where the rows are from, for messages.
        required: Fields of `columns` that must be found.

    Raises:
        UserError: If a required column is not there, a prompt is empty or no text, two share an id, or a value has no
            meaning.
    """
    table = _Table(rows, columns, origin, set(required))
    prompts = [_prompt(table, row, number, standard) for number, row in enumerate(rows, start=1)]
    return _with_distinct_ids(prompts, origin, "id" in table.found)


def question_key(question: str) -> str:
    """Equal for questions that differ in case, spaces and punctuation alone."""
    folded = unicodedata.normalize("NFKC", question).casefold()
    return digest(" ".join(re.findall(r"[^\W_]+", folded)) or folded)


def digest(text: str) -> str:
    """The start of a SHA-256: short, and the same wherever the text comes from."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def by_question(question_id: str) -> Split:
    """Train for four questions in five, dev for the fifth: the same wherever a question turns up."""
    is_dev = int(hashlib.sha256(f"split {question_id}".encode()).hexdigest(), 16) % 5 == 0
    return Split.DEV if is_dev else Split.TRAIN


class _Table:
    """Finds the columns once and reads cells as texts."""

    def __init__(self, rows: Sequence[Row], columns: Columns, origin: str, required: set[str]) -> None:
        self.origin = origin
        self.found: dict[str, str] = {}
        seen = list(rows[0]) if rows else []
        known = {plain_name(name): name for name in reversed(seen)}
        for field in fields(Columns):
            names: Names = getattr(columns, field.name)
            hits = [known[plain_name(name)] for name in names if plain_name(name) in known]
            if hits:
                self.found[field.name] = hits[0]
            elif field.name in required:
                wanted = " or ".join(f"'{name}'" for name in names)
                has = ", ".join(f"'{name}'" for name in seen)
                raise UserError(f"{origin} has no column {wanted} for the {field.name}. Its columns: {has}.")

    def check_text(self, row: Row, number: int) -> None:
        """Refuse a prompt that is a list or a number: what was meant by it cannot be told."""
        value = row.get(self.found["prompt"])
        if value is not None and not isinstance(value, str):
            kind = type(value).__name__
            raise UserError(f"Row {number} of {self.origin} has a prompt that is {kind}, not text: {str(value)[:40]}.")

    def text(self, row: Row, field: str) -> str:
        """The cell without blanks around it; empty where column or value is missing."""
        value = row.get(self.found[field]) if field in self.found else None
        return "" if value is None else str(value).strip()


def plain_name(name: str) -> str:
    """Equal for names of columns that differ in case, and in a space for `_`, alone."""
    return name.strip().lower().replace(" ", "_")


def _prompt(table: _Table, row: Row, number: int, standard: Standard) -> Prompt:
    text = "\n\n".join(part for part in (table.text(row, "prompt"), table.text(row, "context")) if part)
    table.check_text(row, number)
    if not table.text(row, "prompt"):
        raise UserError(f"Row {number} of {table.origin} has an empty prompt. Fill it or remove the row.")
    plain = table.text(row, "question") or text
    question_id = question_key(plain)
    intent = _word(table, row, number, "intent", {kind.value: kind for kind in Intent}) or standard.intent
    split = _word(table, row, number, "split", _SPLITS) or standard.split or by_question(question_id)
    target = table.text(row, "target") if intent is Intent.HARMFUL else ""
    return Prompt(
        id=table.text(row, "id") or f"{standard.name}-{digest(text)}",
        messages=(Message("user", text),),
        intent=intent,
        question_id=question_id,
        plain=plain,
        source=standard.source,
        split=split,
        category=table.text(row, "category"),
        attack=_attack(table, row),
        references=References(
            safe=table.text(row, "safe") or None,
            unsafe=table.text(row, "unsafe") or target or None,
            useful=table.text(row, "useful") or None,
        ),
    )


def _attack(table: _Table, row: Row) -> Attack | None:
    category, name = table.text(row, "attack_category"), table.text(row, "attack_name")
    if not (category or name) or name.lower() == "none":
        return None
    categories = tuple(part.strip() for part in re.split(r"[,;&+]", category) if part.strip())
    return Attack(categories or (name,), name or category)


def _word(table: _Table, row: Row, number: int, field: str, meanings: Mapping[str, T]) -> T | None:
    """What a cell of few possible words means; nothing where there is no such column."""
    if field not in table.found:
        return None
    word = table.text(row, field).lower()
    if word not in meanings:
        known = ", ".join(meanings)
        raise UserError(f"Row {number} of {table.origin} has the {field} '{word}'; it must be one of {known}.")
    return meanings[word]


def _with_distinct_ids(prompts: Sequence[Prompt], origin: str, are_given: bool) -> tuple[Prompt, ...]:
    """Ids that a table gives must differ; of ids made here, the second becomes `...-2`."""
    seen: Counter[str] = Counter()
    distinct = []
    for prompt in prompts:
        seen[prompt.id] += 1
        count = seen[prompt.id]
        if count > 1 and are_given:
            raise UserError(f"The id '{prompt.id}' is there twice in {origin}. Make ids unique, or map no id column.")
        distinct.append(prompt if count == 1 else replace(prompt, id=f"{prompt.id}-{count}"))
    return tuple(distinct)
