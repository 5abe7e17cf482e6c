"""Which arm is held against which: what the user named, or what can only be meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.errors import UserError, find
from harness.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Side:
    """One arm of one run."""

    run: Evidence
    arm: str

    @property
    def described(self) -> dict[str, Any]:
        """What the run's header says of the arm."""
        return next(dict(arm) for arm in self.run.header["arms"] if arm["name"] == self.arm)


class Pair(NamedTuple):
    """What is compared; the first is the baseline."""

    a: Side
    b: Side


def choose(runs: Sequence[Evidence], arms: Sequence[str]) -> list[Pair]:
    """Pairs of arms, from one run or two.

    Args:
        runs: One or two.
        arms: As named by the user, at most two; one name alone is of both runs.

    Raises:
        UserError: If a name is unknown, or it cannot be told which arms are meant.
    """
    if len(arms) > 2:
        raise UserError(f"--arms takes two labels, the baseline first; {len(arms)} were given.")
    first, last = runs[0], runs[-1]
    if not arms:
        return _obvious(first, last)
    names = (arms[0], arms[-1])
    for run, name in zip((first, last), names, strict=True):
        find(f"arm of '{run.folder.name}'", name, {arm: arm for arm in run.arms})
    if first is last and names[0] == names[1]:
        raise UserError(f"An arm cannot be compared with itself within one run. {_two_of(first)}")
    return [Pair(Side(first, names[0]), Side(last, names[1]))]


def _obvious(first: Evidence, last: Evidence) -> list[Pair]:
    if first is last:
        if len(first.arms) != 2:
            raise UserError(f"Two arms are compared, and '{first.folder.name}' has {len(first.arms)}. {_two_of(first)}")
        return [Pair(Side(first, first.arms[0]), Side(last, first.arms[1]))]
    shared = [arm for arm in first.arms if arm in last.arms]
    own = [[arm for arm in run.arms if arm != "default"] for run in (first, last)]
    if any(arm != "default" for arm in shared):
        return [Pair(Side(first, arm), Side(last, arm)) for arm in shared]
    if len(own[0]) == len(own[1]) == 1:
        return [Pair(Side(first, own[0][0]), Side(last, own[1][0]))]
    if shared and not own[0] and not own[1]:
        return [Pair(Side(first, arm), Side(last, arm)) for arm in shared]
    raise UserError(
        "It cannot be told which arms are meant: the runs share none but default. Name one of each with --arms A,B: "
        f"'{first.folder.name}' has {', '.join(first.arms)}; '{last.folder.name}' has {', '.join(last.arms)}."
    )


def _two_of(run: Evidence) -> str:
    if len(run.arms) < 2:
        return f"It has no arm but {run.arms[0]}: give a second run." if run.arms else "It has no arm."
    return f"Name two with --arms A,B, the baseline first: {', '.join(run.arms)}."
