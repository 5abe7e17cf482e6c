"""A paper table as CSV for other programs: every number with its ends, its n, its mark and the paper's number."""

import csv
import io

from reports.foreign import spreadsheet_text
from reports.paper.table import Cell, Heading, PaperTable

PARTS = ("", "_low", "_high", "_n", "_unscored", "_mark", "_published")


def render(table: PaperTable) -> str:
    """One line a row; numbers in the printed unit with more digits, missing ones empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    names = [stub.lower().replace(" ", "_") for stub in table.stubs]
    writer.writerow([*names, *(f"{heading.key}{part}" for heading in table.headings for part in PARTS)])
    for row in table.rows:
        cells = [
            part for heading, cell in zip(table.headings, row.cells, strict=True) for part in _parts(heading, cell)
        ]
        writer.writerow([*map(spreadsheet_text, row.names), *cells])
    return stream.getvalue()


def _parts(heading: Heading, cell: Cell) -> list[object]:
    found = cell.estimate
    if found is None or found.value is None:
        return [None, None, None, None, None, "", cell.published]
    ends = [heading.scaled(end) for end in (found.value, found.low, found.high)]
    return [*ends, found.n, found.unscored, cell.mark.value, cell.published]
