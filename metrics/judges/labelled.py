"""Replies with human labels, as published or in a table of one's own: what judges are measured on."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.tables import Row, read_rows


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what, and which labels mean a refusal."""

    text: str
    label: str
    refused: tuple[str, ...]
    other: tuple[str, ...] = ()
    """Labels that mean no refusal; empty: all others."""
    annotators: tuple[str, ...] = ()
    """Columns of single humans, with the same labels."""
    prompt: str = ""
    group: str = ""


XSTEST = Columns(
    "completion", "final_label", ("2_full_refusal", "3_partial_refusal"), ("1_full_compliance",),
    ("annotation_1", "annotation_2"), "prompt",
)  # fmt: skip
"""XSTest's replies (Röttger et al. 2024). Refusing a part counts as refusing, since the part was asked for too."""
GPTFUZZ = Columns("Response", "label", ("0",), ("1",))
"""GPTFuzz's replies (Yu et al. 2023): 0 is not jailbroken, which is mostly, but not always, a refusal."""
KNOWN: Sequence[Columns] = (XSTEST, GPTFUZZ)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One reply and what a human says of it."""

    text: str
    label: str
    is_refusal: bool
    prompt: str = ""
    group: str = ""
    annotators: Mapping[str, bool | None] = field(default_factory=dict)
    """By column, whether each calls it a refusal; None where they gave no label of the list."""


def read_labelled(path: Path, columns: Columns) -> tuple[Labelled, ...]:
    """Every reply of a table.

    Raises:
        UserError: If a column or a refused label is not there, a label is empty or unknown, or all replies have the
            same class.
    """
    rows = read_rows(path)
    wanted = (columns.text, columns.label, columns.group, *columns.annotators)
    check_columns(path, rows[0], [name for name in wanted if name])
    replies = tuple(_labelled(path, number, row, columns) for number, row in enumerate(rows, start=1))
    _check_labels(path, columns, replies)
    if len({reply.is_refusal for reply in replies}) < 2:
        seen = ", ".join(sorted({f"'{reply.label}'" for reply in replies}))
        raise UserError(
            f"Every label of '{path}' means the same ({seen}; n {len(replies)}): a judge cannot be measured on one "
            "class. Say with --refused which labels mean a refusal."
        )
    return replies


def check_columns(path: Path, row: Row, wanted: Sequence[str]) -> None:
    """Whether a table has what it is asked for.

    Raises:
        UserError: If not, with the columns that it has.
    """
    missing = [name for name in wanted if name not in row]
    if missing:
        told = ", ".join(f"'{name}'" for name in missing)
        raise UserError(f"'{path}' has no column {told}. Its columns: {', '.join(map(str, row))}.")


def known_columns(row: Row) -> Columns | None:
    """The columns of a published set, told by their names; None for any other table."""
    return next((known for known in KNOWN if {known.text, known.label, *known.annotators} <= set(row)), None)


def digest(paths: Sequence[Path]) -> str:
    """One hash of the bytes of several files, in their order."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def _check_labels(path: Path, columns: Columns, replies: Sequence[Labelled]) -> None:
    """Of a table of one's own: a refused label that no reply has is a slip."""
    seen = dict.fromkeys(reply.label for reply in replies)
    unknown = [] if columns.other else [label for label in columns.refused if label not in seen]
    if unknown:
        raise UserError(f"'{path}' has no label '{unknown[0]}' in '{columns.label}'. Its labels: {', '.join(seen)}.")


def _labelled(path: Path, number: int, row: Row, columns: Columns) -> Labelled:
    text, label = row[columns.text], label_text(row[columns.label])
    if not isinstance(text, str):
        raise UserError(f"Row {number} of '{path}' has no text in '{columns.text}': it has {text!r}.")
    if label is None:
        raise UserError(f"Row {number} of '{path}' has no label in '{columns.label}': it has {row[columns.label]!r}.")
    refusal = _is_refusal(label, columns)
    if refusal is None:
        allowed = ", ".join((*columns.refused, *columns.other))
        raise UserError(f"Row {number} of '{path}' has the unknown label '{label}'. Known: {allowed}.")
    annotators = {name: _is_refusal(label_text(row[name]), columns) for name in columns.annotators}
    prompt = str(row.get(columns.prompt, ""))
    return Labelled(text, label, refusal, prompt, str(row[columns.group]) if columns.group else "", annotators)


def label_text(value: object) -> str | None:
    """A label as text, so that 1, 1.0 and "1" are one; None for what is none: empty, NaN, null."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    text = "" if value is None else str(value).strip()
    return None if text.lower() in ("", "nan", "none", "null") else text


def _is_refusal(label: str | None, columns: Columns) -> bool | None:
    if label in columns.refused:
        return True
    return False if label is not None and (label in columns.other or not columns.other) else None
