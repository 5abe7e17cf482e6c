"""Numbers that stand apart from the leaderboard: in sections of their own, whole and by category of attack."""

from typing import NamedTuple

from reports.base import Column, Comparison
from reports.leaderboard import Cell


class Split(NamedTuple):
    """One number by category of attack: a table of arms and categories."""

    benchmark: str
    title: str
    columns: tuple[Column, ...]
    """One a category, in alphabetical order."""


class Section(NamedTuple):
    """One section, ready to print."""

    title: str
    note: str
    columns: tuple[Column, ...]
    """Over all prompts; a number that the run does not have is in them, and has an empty cell."""
    splits: tuple[Split, ...]


def sections(comparison: Comparison) -> list[Section]:
    """All sections of a comparison, in its order."""
    return [_section(comparison, title, note) for title, note in comparison.sections.items()]


def compared_text(shown: Cell) -> str:
    """`92.0 (86.1-96.3), +12.0*`."""
    return ", ".join(part for part in (shown.text, shown.marked_delta) if part)


def _section(comparison: Comparison, title: str, note: str) -> Section:
    inside = [column for column in comparison.columns if column.section == title]
    parts = sorted((column for column in inside if column.category), key=lambda column: column.category)
    names = dict.fromkeys((column.benchmark, column.title) for column in inside if column.category)
    splits = tuple(
        Split(*name, tuple(column for column in parts if (column.benchmark, column.title) == name)) for name in names
    )
    whole = tuple(column for column in inside if not column.category)
    return Section(title, note, whole, splits)
