"""A paper table as GitHub Markdown: one line of headings, bold best, underlined second."""

from tabulate import tabulate

from reports.base import Mark
from reports.foreign import markdown_text
from reports.leaderboard import ARROWS
from reports.paper.table import Cell, Heading, PaperTable, lettered


def render(table: PaperTable) -> str:
    """The table, its caption and its notes."""
    headers = [*map(markdown_text, table.stubs), *map(_heading, table.headings)]
    rows = [[*map(markdown_text, row.names), *(_cell(table, cell) for cell in row.cells)] for row in table.rows]
    aligned = ("left",) * len(table.stubs) + ("right",) * len(table.headings)
    text = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True, colalign=aligned if rows else None)
    notes = [f"<sup>{sign}</sup> {markdown_text(note)}  " for sign, note in lettered(table.notes)]
    parts = [text, f"**{_title(table)}:** {markdown_text(table.caption)}", "\n".join(notes).rstrip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(table: PaperTable) -> str:
    return table.name.capitalize().replace("Table", "Table ").replace("Figure", "Figure ")


def _heading(heading: Heading) -> str:
    return " ".join(
        filter(None, (markdown_text(heading.group), markdown_text(heading.title), ARROWS[heading.direction]))
    )


def _cell(table: PaperTable, cell: Cell) -> str:
    value = cell.value
    if cell.mark is Mark.BEST:
        value = f"**{value}**"
    elif cell.mark is Mark.SECOND:
        value = f"<u>{value}</u>"
    elif cell.mark is Mark.TIED:
        value = f"{value} {Mark.TIED.value}"
    sign = f"<sup>{cell.letters}</sup>" if cell.notes else ""
    return " ".join([value + sign, *(part.replace("[", "\\[").replace("]", "\\]") for part in table.parts(cell))])
