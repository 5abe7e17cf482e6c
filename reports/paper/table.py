"""A table as papers print it: headings in groups, rows in blocks, and cells that know their interval and their mark."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from string import ascii_lowercase

from metrics.base import Direction, Estimate
from reports.base import Mark

MISSING = "--"


@dataclass(frozen=True, slots=True)
class Heading:
    """One column of numbers."""

    key: str
    """Its name in the CSV file."""
    group: str
    """What stands above it, for instance the benchmark; equal neighbours share one heading."""
    title: str
    direction: Direction = Direction.NEITHER
    unit: str = ""
    factor: float = 1.0
    decimals: int = 3

    def number(self, value: float) -> str:
        """A value with the decimals of the column, without unit."""
        return f"{value * self.factor:z.{self.decimals}f}"

    def scaled(self, value: float | None) -> float | None:
        """A value in the printed unit, with more digits than are printed."""
        return None if value is None else round(value * self.factor, self.decimals + 4)


@dataclass(frozen=True, slots=True)
class Cell:
    """One number, or the lack of one."""

    heading: Heading
    estimate: Estimate | None = None
    mark: Mark = Mark.NONE
    published: str = ""
    """The paper's number as it prints it, without unit."""
    notes: tuple[int, ...] = ()
    """Places among the table's notes."""

    @property
    def value(self) -> str:
        """As printed, with its unit; a dash where there is no number."""
        if self.estimate is None or self.estimate.value is None:
            return MISSING
        return self.heading.number(self.estimate.value) + self.heading.unit

    @property
    def interval(self) -> str:
        """`(12.30-15.00)`, or empty."""
        if self.estimate is None or self.estimate.low is None or self.estimate.high is None:
            return ""
        return f"({self.heading.number(self.estimate.low)}-{self.heading.number(self.estimate.high)})"

    @property
    def paper(self) -> str:
        """`[49.74%]`, or empty."""
        return f"[{self.published}{self.heading.unit}]" if self.published else ""

    @property
    def letters(self) -> str:
        """Of its notes: `a,c`."""
        return ",".join(letter(place) for place in self.notes)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what names it, and its numbers."""

    names: tuple[str, ...]
    """One a stub of the table; the first is that of its block where there are two."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Everything that a renderer needs."""

    name: str
    """`table2`: its files and its label are called so."""
    caption: str
    stubs: tuple[str, ...]
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    has_intervals: bool = False

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings of groups, and how many columns each spans; the name is empty where there is none."""
        return [(name, len(list(members))) for name, members in groupby(heading.group for heading in self.headings)]

    @property
    def blocks(self) -> list[tuple[Row, ...]]:
        """Rows that share their first name, where there are two stubs; else all of them."""
        if len(self.stubs) < 2:
            return [self.rows]
        return [tuple(members) for _, members in groupby(self.rows, key=lambda row: row.names[0])]

    def parts(self, cell: Cell) -> list[str]:
        """What stands below the number: its interval where intervals are shown, and the paper's number."""
        return [part for part in (cell.interval if self.has_intervals else "", cell.paper) if part]


def letter(place: int) -> str:
    """The sign of a note: a to z, then aa, ab."""
    rounds, rest = divmod(place, len(ascii_lowercase))
    return (letter(rounds - 1) if rounds else "") + ascii_lowercase[rest]


def lettered(notes: Sequence[str]) -> list[tuple[str, str]]:
    """Notes with their signs."""
    return [(letter(place), note) for place, note in enumerate(notes)]
