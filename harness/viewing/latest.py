"""The comparison of what is finished so far: made again when more is finished, one at a time, beside the progress."""

import threading
from dataclasses import dataclass, field, replace

from benchmarks.errors import UserError
from harness.plan import Cell
from harness.run_folder import RunFolder
from harness.viewing.progress import Progress
from reports.base import Comparison

Stamp = tuple[object, ...]
MOST_TOLD = 12
"""Unfinished cells by name; of the rest the number."""


@dataclass(slots=True)
class Latest:
    """What was last made of a run."""

    folder: RunFolder
    judge: str | None = None
    comparison: Comparison | None = None
    """Of the last look, perhaps of fewer cells than there are by now."""
    problem: str = ""
    """Why there is none, in one line."""
    _stamp: Stamp | None = None
    _page: tuple[Stamp, str] | None = None
    _work: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, progress: Progress) -> None:
        """Start to compare in the background if more is finished than before, and nothing is being made."""
        if progress.finished and not self._work.locked() and self._stamp != self._stamp_of(progress):
            threading.Thread(target=self.compared, args=(progress,), daemon=True).start()

    def compared(self, progress: Progress) -> Comparison | None:
        """The comparison of now; None where there is a problem."""
        with self._work:
            return self._compared(progress)

    def page(self, progress: Progress) -> str:
        """The report of now, which says what is not finished.

        Raises:
            UserError: If the run cannot be judged.
        """
        from reports import html

        with self._work:
            comparison = self._compared(progress)
            if comparison is None:
                raise UserError(self.problem)
            stamp = (self._stamp, progress.done, progress.state)
            if self._page is None or self._page[0] != stamp:
                self._page = (stamp, html.render(told_unfinished(comparison, progress)))
            return self._page[1]

    def _compared(self, progress: Progress) -> Comparison | None:
        from harness.comparison import compare

        stamp = self._stamp_of(progress)
        if stamp != self._stamp:
            try:
                self.comparison, self.problem = compare(self.folder, self.judge, lambda _: None), ""
            except UserError as error:
                self.comparison, self.problem = None, str(error)
            self._stamp = stamp
        return self.comparison

    def _stamp_of(self, progress: Progress) -> Stamp:
        """What a comparison is made from: it changes when a finished cell, its scores, a fit or a failure does."""
        paths = [path(cell) for cell in sorted(progress.finished) for path in (self.folder.replies, self.folder.scores)]
        files = []
        for path in (self.folder.header_file, *paths):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            files.append((str(path), found.st_mtime_ns, found.st_size))
        return (*files, progress.fits, *progress.failures.items())


def told_unfinished(comparison: Comparison, progress: Progress) -> Comparison:
    """The same with a section on what it lacks, where it lacks something."""
    missing = [(cell, n) for cell, n in progress.replies.items() if n < progress.totals[cell.benchmark]]
    if not missing:
        return comparison
    listed = [_told(cell, n, progress.totals[cell.benchmark]) for cell, n in missing[:MOST_TOLD]]
    more = [f"and {len(missing) - MOST_TOLD} more"] if len(missing) > MOST_TOLD else []
    note = (
        f"{progress.done:,} of {progress.total:,} replies are there. Cells that lack replies are left out of every "
        f"number: {'; '.join([*listed, *more])}."
    )
    return replace(comparison, sections={"Not finished": note, **comparison.sections})


def _told(cell: Cell, done: int, total: int) -> str:
    return f"{cell.arm}, seed {cell.seed}, {cell.benchmark} {done} of {total}"
