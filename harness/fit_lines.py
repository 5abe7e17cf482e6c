"""What a fit tells where no bar can move: a line when a stage ends, and one now and then within a long stage."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

TOLD_EVERY = 30.0
"""Seconds between two lines of one stage, at least: a log of hours stays readable."""


@dataclass(slots=True)
class FitLines:
    """Told of a fit's progress. A stage lasts from the end of the one before it, or from the start of the fit."""

    name: str
    note: Callable[[str], None]
    _stage: str = ""
    _steps: str = ""
    _began: float = field(default_factory=lambda: time.monotonic())
    _told: float = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of `stage` are finished."""
        now = time.monotonic()
        if stage != self._stage:
            self.end_stage()
            self._stage, self._told = stage, self._began
        self._steps = f"{done} of {total}"
        if done >= total:
            self.end_stage()
        elif now - self._told >= TOLD_EVERY:
            self._told = now
            self.note(f"{self.name}: {stage}, {self._steps} after {_clock(now - self._began)}")

    def end_stage(self) -> None:
        """The stage that is under way is over, if there is one."""
        now = time.monotonic()
        if self._stage:
            self.note(f"{self.name}: {self._stage}, {self._steps} in {now - self._began:.1f} s")
            self._stage, self._began = "", now


def _clock(seconds: float) -> str:
    """`02:13`, or `1:02:13`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
