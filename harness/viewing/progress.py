"""How far a run is, from what lies on disk alone: nothing is locked, nothing written, a torn last line not counted."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.fitting import FACTS
from harness.plan import Cell
from harness.run_folder import RunFolder


class State(StrEnum):
    """Of a run, as it looks from outside."""

    WAITING = "waiting"
    """There is no run yet."""
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"
    """Nothing is at work, and all that is missing belongs to arms that failed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a run folder."""

    state: State
    totals: Mapping[str, int] = field(default_factory=dict)
    """Prompts of each benchmark."""
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of each arm."""
    replies: Mapping[Cell, int] = field(default_factory=dict)
    """Of each cell, finished or not."""
    fits: frozenset[tuple[str, int]] = frozenset()
    """Arms and seeds that have been fitted."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """First line of what stopped an arm."""
    model: str = ""
    judge: str = ""
    started: datetime | None = None
    is_resumed: bool = False
    newest: float | None = None
    """When the last reply was written, in seconds since the epoch."""
    worker: int | None = None
    """Process that is at work."""

    @property
    def done(self) -> int:
        """Replies that are there."""
        return sum(self.replies.values())

    @property
    def total(self) -> int:
        """Replies of a finished run."""
        return sum(self.totals[cell.benchmark] for cell in self.replies)

    @property
    def left(self) -> int:
        """Replies that are still to come: of arms that failed, none."""
        return sum(self.totals[cell.benchmark] - n for cell, n in self.replies.items() if cell.arm not in self.failures)

    @property
    def finished(self) -> frozenset[Cell]:
        """Cells that lack no reply."""
        return frozenset(cell for cell, n in self.replies.items() if n >= self.totals[cell.benchmark])


@dataclass(slots=True)
class Lines:
    """Counts whole lines of files that grow; what was counted is not read again."""

    _counted: dict[Path, tuple[int, int, int]] = field(default_factory=dict)
    """Number of the file on its disk, bytes up to the last line end, and line ends."""

    def of(self, path: Path) -> int:
        """Whole lines of a file, none where it is not there."""
        known, start, lines = self._counted.get(path, (0, 0, 0))
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != known or found.st_size < start:  # written anew, without spoilt lines
                    start, lines = 0, 0
                file.seek(start)
                while block := file.read(1 << 20):
                    if b"\n" in block:
                        lines += block.count(b"\n")
                        start = file.tell() - len(block) + block.rindex(b"\n") + 1
        except FileNotFoundError:
            return 0
        self._counted[path] = (found.st_ino, start, lines)
        return lines


def read_progress(folder: RunFolder, lines: Lines) -> Progress:
    """Look at a run, which may not have begun.

    Raises:
        UserError: If `run.json` is of another program or version.
    """
    if not folder.header_file.exists():
        return Progress(State.WAITING)
    header = folder.header()
    protocol = header["protocol"]
    totals = {name: facts["prompts"] for name, facts in protocol["benchmarks"].items()}
    seeds = {arm["name"]: tuple(arm["seeds"]) for arm in header["arms"]}
    cells = [Cell(arm, seed, name) for arm, own in seeds.items() for seed in own for name in totals]
    replies = {cell: min(lines.of(folder.replies(cell)), totals[cell.benchmark]) for cell in cells}
    failures = {arm: told for arm in seeds if (told := _failure(folder, arm)) is not None}
    worker = _worker(folder.lock_file)
    missing = {cell.arm for cell in cells if replies[cell] < totals[cell.benchmark]}
    return Progress(
        _state(missing, failures, worker),
        totals,
        seeds,
        replies,
        frozenset((arm, seed) for arm, own in seeds.items() for seed in own if _is_fitted(folder, arm, seed)),
        failures,
        protocol["model"]["name"],
        protocol["judge"],
        _started(header),
        bool(header["resumed"]),
        max((_written(folder.replies(cell)) for cell in cells), default=0.0) or None,
        worker,
    )


def _state(missing: set[str], failures: Mapping[str, str], worker: int | None) -> State:
    if not missing and not failures:
        return State.FINISHED
    if worker is not None:
        return State.RUNNING
    return State.FAILED if failures and missing <= failures.keys() else State.STOPPED


def _is_fitted(folder: RunFolder, arm: str, seed: int) -> bool:
    return (folder.artefact(arm, seed) / FACTS).exists()


def _failure(folder: RunFolder, arm: str) -> str | None:
    try:
        return folder.failure(arm).read_text(encoding="utf-8").partition("\n")[0]
    except FileNotFoundError:
        return None


def _worker(lock_file: Path) -> int | None:
    """The process that wrote its number into the lock file, if it is alive; to try the lock would be to take it."""
    try:
        pid = int(lock_file.read_text(encoding="utf-8").removeprefix("pid "))
        os.kill(pid, 0)
    except PermissionError:  # somebody else's process
        return pid
    except (OSError, ValueError, OverflowError):
        return None
    return pid if pid > 0 and pid != os.getpid() else None


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _started(header: Mapping[str, Any]) -> datetime | None:
    """When the process that is at work began, or the last one."""
    told = (header["resumed"] or [header["provenance"]])[-1].get("date", "")
    try:
        started = datetime.fromisoformat(told)
    except ValueError:
        return None
    return started if started.tzinfo else started.replace(tzinfo=UTC)
