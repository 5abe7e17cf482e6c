"""How long a run still takes, from the pace of all that is done of it."""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What is done for an arm."""

    FIT = "fit"
    ANSWER = "answer"
    SCORE = "score"


class Work(NamedTuple):
    """One piece of a run. Its units are replies; a fit is one unit."""

    kind: Kind
    arm: str
    seed: int
    benchmark: str = ""
    """Empty for a fit."""


class Left(NamedTuple):
    """What is still to be expected."""

    seconds: float
    is_whole: bool
    """False where there is work whose pace nothing tells yet: then it takes longer."""


class Spent(NamedTuple):
    """What some work took so far."""

    units: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Forecast:
    """Units left by piece of work, and what was spent on each."""

    left: dict[Work, int]
    spent: dict[Work, Spent] = field(default_factory=dict)

    def spend(self, work: Work, units: int, seconds: float) -> None:
        """Some units more are done."""
        before = self.spent.get(work, Spent())
        self.spent[work] = Spent(before.units + units, before.seconds + seconds)
        self.left[work] = max(0, self.left.get(work, 0) - units)

    def expected(self, without: Container[str]) -> Left:
        """Seconds that the rest takes, one after the other, arms in `without` left out.

        A piece goes at the pace of its like: the same arm and benchmark, else the same benchmark, else the same kind of
        work. Fits have little in common, so the time of another arm's is a first guess, and called so.
        """
        paces = self._paces()
        seconds, is_whole = 0.0, True
        for work, units in list(self.left.items()):
            if units and work.arm not in without:
                found = next((place for place in _places(work) if place in paces), None)
                seconds += units * paces[found] if found is not None else 0.0
                is_whole = is_whole and found is not None and (work.kind is not Kind.FIT or len(found) > 2)
        return Left(seconds, is_whole)

    def _paces(self) -> dict[tuple[Hashable, ...], float]:
        """Seconds a unit, by whatever pieces of work may have in common."""
        sums: dict[tuple[Hashable, ...], Spent] = defaultdict(Spent)
        for work, one in list(self.spent.items()):
            for place in _places(work):
                sums[place] = Spent(sums[place].units + one.units, sums[place].seconds + one.seconds)
        return {place: one.seconds / one.units for place, one in sums.items() if one.units}


def _places(work: Work) -> Iterator[tuple[Hashable, ...]]:
    """From what is most alike to what is least."""
    yield work.kind, work.benchmark, work.arm
    yield work.kind, work.benchmark
    yield (work.kind,)
