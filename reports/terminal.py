"""The leaderboard as plain text, printed when a run ends.

Widths are those of a terminal's cells: a Chinese letter takes two of them.
"""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len, chop_cells

from reports.base import Arm, Column, Comparison
from reports.cautions import cautions
from reports.foreign import one_line
from reports.leaderboard import LEARNS, MARK, RULE, Cell, arrow, cell, counted, readable, scale, unscored
from reports.sections import sections

WIDTH = 80
"""Of a page that no terminal asked for."""
GAP = 2
COLUMN_WIDTH = 14
"""Of a number with its interval below and the gap to the next."""
SHORTEST_NAME = 12
NARROWEST = SHORTEST_NAME + COLUMN_WIDTH
"""Names and one column."""


def render(comparison: Comparison, width: int = WIDTH) -> str:
    """The headline columns, then those of sections; more than `width` cells hold are continued in a second table.

    No line is longer than that; names and numbers go on in the next line rather than being cut.
    """
    width = max(width, NARROWEST)
    blocks = [_table(comparison, columns, width) for columns in _portions(comparison.headline, width)]
    for section in sections(comparison):
        tables = [_table(comparison, columns, width) for columns in _portions(section.columns, width)]
        blocks += ["\n\n".join([section.title, *tables])] if tables else []
    opening = "\n".join(_wrapped(f"Model {comparison.model}, judge {comparison.judge}", width))
    return "\n\n".join([opening, *blocks, _notes(comparison, width)]) + "\n"


def _portions(columns: tuple[Column, ...], width: int) -> list[tuple[Column, ...]]:
    fitting = max(1, (width - SHORTEST_NAME) // COLUMN_WIDTH)
    tables = math.ceil(len(columns) / fitting)
    size = math.ceil(len(columns) / tables) if tables else 1
    return [columns[start : start + size] for start in range(0, len(columns), size)]


def _table(comparison: Comparison, columns: Sequence[Column], width: int) -> str:
    name_width = max(SHORTEST_NAME, width - COLUMN_WIDTH * len(columns))
    headers = ["arm", *(_heading(comparison, column) for column in columns)]
    rows = [
        [_name(arm, name_width), *(_stacked(cell(comparison, arm, column)) for column in columns)]
        for arm in comparison.arms
    ]
    widths = [
        max(cell_len(line) for text in texts for line in text.split("\n")) for texts in zip(headers, *rows, strict=True)
    ]
    rule = (" " * GAP).join("-" * one for one in widths)
    lines = [*_laid_out(headers, widths), rule, *(line for row in rows for line in _laid_out(row, widths))]
    return "\n".join(lines)


def _laid_out(texts: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """The lines of one row: the first text to the left, numbers to the right."""
    for first, *others in zip_longest(*(text.split("\n") for text in texts), fillvalue=""):
        name = first + " " * (widths[0] - cell_len(first))
        numbers = (" " * (width - cell_len(text)) + text for text, width in zip(others, widths[1:], strict=True))
        yield (" " * GAP).join([name, *numbers]).rstrip()


def _heading(comparison: Comparison, column: Column) -> str:
    texts = [
        readable(column.benchmark),
        f"{column.title} {arrow(column)}",
        scale(column).symbol,
        counted(comparison, column),
    ]
    return "\n".join(line for text in texts for line in _wrapped(text, COLUMN_WIDTH - 2 * GAP))


def _stacked(number: Cell) -> str:
    """The value over its interval; one that is too long for its column goes on after the hyphen."""
    room = COLUMN_WIDTH - GAP - len(MARK)
    interval = number.interval
    if cell_len(interval) > room:
        interval = re.sub(r"(?<=\d)-", "-\n", interval, count=1)
    mark = MARK if number.is_significant else " "
    *lines, last = chop_cells(number.value, room)
    below = [piece for line in interval.split("\n") for piece in chop_cells(line, room)]
    return "\n".join([*(f"{line} " for line in lines), f"{last}{mark}", *(f"{line} " for line in below)])


def _name(arm: Arm, width: int) -> str:
    """In lines that end after a hyphen, an underscore or a plus where the name is too long for one."""
    lines = [""]
    for part in re.findall(r"[^-_+\s]*[-_+\s]?", one_line(arm.name + (" (failed)" if arm.failure else ""))):
        if lines[-1] and cell_len(lines[-1]) + cell_len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(piece for line in lines for piece in _wrapped(line, width))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words; a word that is longer than a line is broken."""
    lines: list[str] = []
    for word in one_line(text).split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += chop_cells(word, width)
    return lines


def _notes(comparison: Comparison, width: int) -> str:
    notes = ["Below each number its 95 % interval. ↑ higher is better, ↓ lower is better."]
    if comparison.differences:
        notes.append(f"{MARK} differs from {comparison.arms[0].name}: {RULE}.")
    for column, counts in unscored(comparison):
        told = ", ".join(f"{arm} {count}" for arm, count in counts.items())
        notes.append(f"Unscored replies, left out of {column.benchmark} {column.title}: {told}.")
    notes += [f"{arm.name} {LEARNS}." for arm in comparison.arms if arm.learns_from_prompts]
    notes += [f"{arm.name} failed: {arm.failure}" for arm in comparison.arms if arm.failure]
    notes += [f"Warning: {line}" for line in cautions(comparison)]
    return "\n".join(line for note in notes for line in _wrapped(note, width))
