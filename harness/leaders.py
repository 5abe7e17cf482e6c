"""Which numbers of the leaderboard are best and second, within what paired tests support, as in the paper's tables."""

from collections.abc import Sequence
from functools import partial

from harness.evidence import Evidence
from harness.paper.ranking import ranks
from metrics.base import Direction
from reports.base import Column, Mark
from reports.leaderboard import number

Marks = dict[tuple[str, str], Mark]


def leaders(evidence: Evidence, values: dict[tuple[str, str], float]) -> Marks:
    """A mark for every number of a headline column that has one.

    Args:
        evidence: Gives the tests.
        values: By (arm name, column key).
    """
    columns = [one for one in evidence.columns if one.is_headline and one.direction is not Direction.NEITHER]
    found: Marks = {}
    for column in columns:
        printed = [_printed(column, values.get((arm, column.key))) for arm in evidence.arms]
        placed = ranks(printed, column.direction, partial(_tied, evidence, column, values))
        found |= {
            (arm, column.key): mark for arm, mark in zip(evidence.arms, placed, strict=True) if mark is not Mark.NONE
        }
    return found


def _tied(
    evidence: Evidence, column: Column, values: dict[tuple[str, str], float], best: Sequence[int]
) -> Sequence[int]:
    """The best and all that no test tells from it; empty where it is told from all others."""
    arms = evidence.arms
    others = [place for place, arm in enumerate(arms) if place not in best and (arm, column.key) in values]
    tests = evidence.against(arms[best[0]], [arms[place] for place in others], [column.key])
    told = [one for one in others if (test := tests.get((arms[one], column.key))) and test.is_significant]
    close = [place for place in others if place not in told]
    return sorted([*best, *close]) if close else []


def _printed(column: Column, value: float | None) -> float | None:
    """As a reader sees it: numbers that print alike rank alike."""
    return None if value is None else float(number(column, value).replace(",", ""))
