"""Bold, underlined or neither: the rank of a number within its block, and whether a test supports it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.paper.evidence import Entry
from harness.paper.quantities import Quantity
from metrics.base import Difference, Direction, Estimate
from metrics.paired import holm
from reports.base import Mark


class Ranked(NamedTuple):
    """One row's number in a column."""

    entry: Entry
    estimate: Estimate


def marks(quantity: Quantity, rows: Sequence[Ranked | None], *, is_tested: bool) -> list[Mark]:
    """A mark for each row of one block; numbers that print alike share theirs.

    Untested, the best is bold and the second underlined, as the paper has it. Tested, the best is bold only where it
    differs from every other row's at p < 0.05 after Holm's correction over them, in a paired test on the same prompts;
    otherwise it and all that it does not differ from are tied, and nothing is underlined. A block whose rows all print
    alike has no best.
    """
    printed = [None if row is None else _printed(quantity, row) for row in rows]
    tied = (lambda leaders: _tied(quantity, rows, leaders)) if is_tested else None
    return ranks(printed, quantity.heading.direction, tied)


def ranks(
    printed: Sequence[float | None],
    direction: Direction,
    tied: Callable[[Sequence[int]], Sequence[int]] | None,
) -> list[Mark]:
    """The same of any numbers as they are printed; None has no rank.

    `tied` takes the places of the best and gives them and all that no test tells from them, or nothing where there is
    no such other.
    """
    values = {place: value for place, value in enumerate(printed) if value is not None}
    order = sorted(set(values.values()), reverse=direction is Direction.HIGHER)
    found = [Mark.NONE] * len(printed)
    if direction is Direction.NEITHER or len(order) < 2:
        return found
    leaders, seconds = ([place for place, value in values.items() if value == rank] for rank in order[:2])
    close = tied(leaders) if tied else ()
    for place in close:
        found[place] = Mark.TIED
    if not close:
        for places, mark in ((leaders, Mark.BEST), (seconds, Mark.SECOND)):
            for place in places:
                found[place] = mark
    return found


def _tied(quantity: Quantity, rows: Sequence[Ranked | None], leaders: Sequence[int]) -> list[int]:
    """The best and those that are not told from it; empty where it is told from all others."""
    best = rows[leaders[0]]
    assert best is not None
    others = [(place, row) for place, row in enumerate(rows) if row is not None and place not in leaders]
    tested = [(place, quantity.difference(best.entry, row.entry)) for place, row in others]
    family = [(place, difference) for place, difference in tested if difference is not None]
    untested = [place for place, difference in tested if difference is None]
    adjusted: list[Difference] = holm([difference for _, difference in family])
    close = [place for (place, _), difference in zip(family, adjusted, strict=True) if not difference.is_significant]
    alike = sorted([*untested, *close])
    return [*leaders, *alike] if alike else []


def _printed(quantity: Quantity, row: Ranked | None) -> float:
    assert row is not None and row.estimate.value is not None
    return float(quantity.heading.number(row.estimate.value))
