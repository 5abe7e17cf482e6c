"""What a run tells while it works, on stderr: bars with an ETA in a terminal, a line a stage elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from methods.base import Progress
from reports.foreign import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

Advance = Callable[[int], None]
"""Told how many steps more are finished."""


@dataclass(slots=True)
class Display:
    """Tells of stages and notes. Use it in a `with` block around the whole run: `with display.shown():`."""

    is_interactive: bool = field(default_factory=lambda: sys.stderr.isatty())
    _bars: "Bars | None" = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the bars on the screen inside the block."""
        self._bars = _bars() if self.is_interactive else None
        try:
            with self._bars or nullcontext():
                yield
        finally:
            self._bars = None

    def note(self, text: str) -> None:
        """One line that stays."""
        line = one_line(text)
        if self._bars is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, done: int, total: int) -> Iterator[Advance]:
        """A stage of `total` steps, of which `done` were finished before."""
        if self._bars is None:
            started = time.monotonic()
            yield lambda _: None
            if done < total:
                self.note(f"{name}: {total - done} of {total} in {time.monotonic() - started:.1f} s")
            return
        bars = self._bars
        task = bars.add_task(name, total=total, completed=done)
        try:
            yield lambda steps: bars.advance(task, steps)
        finally:
            bars.remove_task(task)

    @contextmanager
    def fitting(self, name: str) -> Iterator[Progress]:
        """A fit, whose stages and their lengths come up under way."""
        bars = self._bars
        if bars is None:
            started = time.monotonic()
            yield _silent
            self.note(f"{name}: fitted in {time.monotonic() - started:.1f} s")
            return
        task = bars.add_task(name, total=None)

        def show(stage: str, done: int, total: int) -> None:
            bars.update(task, description=f"{name}, {stage}", completed=done, total=total)

        try:
            yield show
        finally:
            bars.remove_task(task)


def _silent(stage: str, done: int, total: int) -> None:
    """Outside a terminal a fit says when it is over, and nothing before."""


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
