"""What a run tells while it works, on stderr: a live table in a terminal, a line a stage elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.base import Reply
from harness.fit_lines import FitLines
from harness.forecast import Work
from harness.plan import Cell
from methods.base import Progress
from reports.foreign import one_line

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import Progress as Bars

    from harness.board import Board

Advance = Callable[[int], None]
"""Told how many steps more are finished."""
REFRESHES = 1.0
"""A second: a table of 28 arms takes 16 ms to draw, which the run would miss."""


def _can_move() -> bool:
    """Whether stderr is a terminal in which lines can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


@dataclass(slots=True)
class Display:
    """Tells of stages and notes. Use it in a `with` block around the whole run: `with display.shown():`."""

    is_interactive: bool = field(default_factory=_can_move)
    board: "Board | None" = None
    """Of the run at work, if it is a run."""
    _bars: "Bars | None" = None
    _live: "Live | None" = None
    _drawn: float = 0.0
    """Seconds of the clock, at the last stage that was shown at once."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep table and bars on the screen inside the block."""
        self._bars = _bars() if self.is_interactive else None
        self._live = _live(self._bars.console, self._screen) if self._bars else None
        try:
            with self._live or nullcontext():
                yield
        finally:
            self._bars = self._live = self.board = None

    def note(self, text: str) -> None:
        """One line that stays."""
        line = one_line(text)
        if self._bars is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, done: int, total: int, work: Work | None = None) -> Iterator[Advance]:
        """A stage of `total` steps, of which `done` were finished before; `work` is what it is of the run."""
        started = time.monotonic()
        with self._bar(name, done, total) as advance, self._counted(work, total - done) as count:

            def both(steps: int) -> None:
                advance(steps)
                count(steps)

            yield both
        if self._bars is None and done < total:
            self.note(f"{name}: {total - done} of {total} in {time.monotonic() - started:.1f} s")

    @contextmanager
    def fitting(self, name: str, work: Work | None = None) -> Iterator[Progress]:
        """A fit, whose stages and their lengths come up under way."""
        bars, started = self._bars, time.monotonic()
        with self._counted(work, 1) as count:
            if bars is None:
                lines = FitLines(name, self.note)
                yield lines
                lines.end_stage()
            else:
                with self._fit_bar(bars, name) as show:
                    yield show
            count(1)
        if bars is None:
            self.note(f"{name}: fitted in {time.monotonic() - started:.1f} s")

    def begun(self, arm: str) -> None:
        """Work on an arm begins, or on a part of it."""
        if self.board:
            self.board.begun(arm)

    def ended(self, arm: str, *, is_failed: bool = False, is_over: bool = True) -> None:
        """It ends; the numbers so far of an arm that is over are told where no table shows them."""
        if self.board is None:
            return
        self.board.paused(arm)
        if is_failed:
            self.board.failed.add(arm)
        elif is_over and arm not in self.board.failed and self._bars is None and (line := self.board.told(arm)):
            self.note(line)

    def heard(self, cell: Cell, replies: Sequence[Reply]) -> None:
        """Replies of a cell, to be counted."""
        if self.board:
            self.board.heard(cell, replies)

    @contextmanager
    def _counted(self, work: Work | None, left: int) -> Iterator[Advance]:
        """Keep the forecast: what is left of some work, and how long its steps take."""
        board, last = self.board, time.monotonic()
        if board is None or work is None:
            yield lambda _: None
            return
        board.forecast.left[work] = left

        def count(steps: int) -> None:
            nonlocal last
            now = time.monotonic()
            board.forecast.spend(work, steps, now - last)
            last = now

        yield count
        board.forecast.left[work] = 0

    @contextmanager
    def _bar(self, name: str, done: int, total: int) -> Iterator[Advance]:
        bars = self._bars
        if bars is None:
            yield lambda _: None
            return
        task = bars.add_task(one_line(name), total=total, completed=done)
        self._refresh()
        try:
            yield lambda steps: bars.advance(task, steps)
        finally:
            bars.remove_task(task)

    @contextmanager
    def _fit_bar(self, bars: "Bars", name: str) -> Iterator[Progress]:
        task = bars.add_task(one_line(name), total=None)

        def show(stage: str, done: int, total: int) -> None:
            bars.update(task, description=one_line(f"{name}, {stage}"), completed=done, total=total)

        try:
            yield show
        finally:
            bars.remove_task(task)

    def _refresh(self) -> None:
        """Show at once what began, unless something else just did; it then waits for the next regular refresh."""
        now = time.monotonic()
        if self._live and now - self._drawn > 1 / REFRESHES:
            self._live.refresh()
            self._drawn = now

    def _screen(self) -> "Group":
        from rich.console import Group

        from harness.live import screen

        bars, board = self._bars, self.board
        if bars is None:
            return Group()
        drawn = bars.get_renderable()
        return screen(board, drawn, *bars.console.size) if board else Group(drawn)


def _live(console: "Console", screen: "Callable[[], Group]") -> "Live":
    from rich.live import Live

    return Live(get_renderable=screen, console=console, refresh_per_second=REFRESHES, transient=True)


def _bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    return Bars(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=2)),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,  # drawn with the table
        expand=True,
    )
