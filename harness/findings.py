"""What a look at a run or at its surroundings found: a line each, fine, doubtful or in the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

from benchmarks.errors import UserError
from reports.foreign import one_line

T = TypeVar("T")


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """A run can start, and may not go as wished; what is there can be used, and is not all that it might be."""
    PROBLEM = "problem"
    """A run cannot start; or what is there is wrong."""


class Finding(NamedTuple):
    """One line."""

    subject: str
    level: Level
    text: str
    """What was seen and, where it is not fine, what would mend it."""


@dataclass(slots=True)
class Findings:
    """All lines so far, in order."""

    lines: list[Finding] = field(default_factory=list)

    def add(self, subject: str, level: Level, text: str) -> None:
        """One line more."""
        self.lines.append(Finding(subject, level, text))

    def attempt(self, subject: str, work: Callable[[], T]) -> T | None:
        """What `work` gives; where the user has to mend something first, None and a line that says so."""
        try:
            return work()
        except (UserError, ImportError) as error:
            self.add(subject, Level.PROBLEM, str(error))
            return None

    @property
    def problems(self) -> list[Finding]:
        """Lines that stop a run."""
        return [line for line in self.lines if line.level is Level.PROBLEM]


def table(lines: Sequence[Finding], fine: str = "All is there.") -> str:
    """Lines in columns, and the number of those that need a hand, or `fine`."""
    subjects = [one_line(line.subject) for line in lines]
    width, level = max(map(len, subjects), default=0), max(len(level) for level in Level)
    rows = [
        f"{line.level:<{level}}  {subject:<{width}}  {one_line(line.text)}"
        for subject, line in zip(subjects, lines, strict=True)
    ]
    count = {kind: sum(line.level is kind for line in lines) for kind in (Level.PROBLEM, Level.WARNING)}
    told = [f"{number} {kind}{'s' * (number > 1)}" for kind, number in count.items() if number]
    return "\n".join([*rows, "", f"{' and '.join(told)}." if told else fine])
