"""How long a run may still take, judged by what was seen of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from harness.viewing.progress import Progress, State


@dataclass(slots=True)
class Pace:
    """Replies by time since the run began or, where it was gone on with, since it was first looked at."""

    clock: Callable[[], float] = time.time
    _since: float = 0.0
    _done: int = 0
    _began: datetime | None = None

    def seconds_left(self, progress: Progress) -> float | None:
        """Until the last reply; None while nothing is at work or nothing was seen to come."""
        if progress.state is not State.RUNNING or progress.started is None:
            self._began = None
            return None
        now = self.clock()
        if self._began != progress.started:
            self._began = progress.started
            is_whole = not progress.is_resumed
            self._since = progress.started.timestamp() if is_whole else now
            self._done = 0 if is_whole else progress.done
        made, elapsed = progress.done - self._done, now - self._since
        return elapsed / made * progress.left if made > 0 and elapsed > 0 else None


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `2.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
