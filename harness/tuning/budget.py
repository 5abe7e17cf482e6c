"""How much a study may spend: the same for every method, or the comparison is not fair."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from harness.tuning.trial import Trial


class Unit(StrEnum):
    """What is counted. Failed trials count like others."""

    TRIALS = "trials"
    FORWARD_EQUIVALENTS = "forward equivalents"
    """Those of the fit, and of each dev prompt one and the method's extra passes per reply: one pass of one sequence
    through all blocks, as in `Cost`. A failed trial is charged for all dev prompts too, so that no study is endless."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount that is never gone beyond."""

    unit: Unit
    amount: float

    def __str__(self) -> str:
        return f"{self.amount:,.12g} {self.unit}"

    def counted(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """The first trials that the budget pays for in full.

        The trial that went beyond it has no say, yet stays on disk for whoever raises the budget later.
        """
        paid = sum(total <= self.amount for total in accumulate(map(self._price, trials)))
        return tuple(trials[:paid])

    def allows_another(self, trials: Sequence[Trial], dev_prompts: int) -> bool:
        """Whether a further trial could be paid for: one takes at least its dev prompts."""
        least = 1 if self.unit is Unit.TRIALS else dev_prompts
        return self.spent(trials) + least <= self.amount

    def spent(self, trials: Sequence[Trial]) -> float:
        """What these trials took, in the unit of the budget."""
        return sum(map(self._price, trials))

    def _price(self, trial: Trial) -> float:
        return 1 if self.unit is Unit.TRIALS else trial.forward_equivalents
