"""A look at a run in words, for its page."""

import time
from collections.abc import Iterator, Mapping

from harness.plan import Cell
from harness.run_folder import RunFolder
from harness.viewing.pace import duration
from harness.viewing.progress import Progress, State
from reports.base import Comparison
from reports.leaderboard import cell
from reports.live import LivePage, Row

STATES: Mapping[State, str] = {
    State.WAITING: "Waiting.",
    State.RUNNING: "Running.",
    State.STOPPED: "Stopped.",
    State.FINISHED: "Finished.",
    State.FAILED: "Ended, with failures.",
}


def live_page(
    folder: RunFolder, progress: Progress, comparison: Comparison | None, problem: str, seconds_left: float | None
) -> LivePage:
    """What the page of a run shows, with the numbers of `comparison` as far as there are any."""
    columns = comparison.headline if comparison else ()
    texts = {
        "state": STATES[progress.state],
        "told": _told(progress, seconds_left),
        "spoken": f"{STATES[progress.state]} {_tenths(progress)}",
        "done": f"{progress.done:,}",
        "total": f"{progress.total:,}",
        "fits": f"{len(progress.fits)} of {sum(map(len, progress.seeds.values()))}",
        "failures": " ".join(f"{arm} failed: {reason.rstrip('.')}." for arm, reason in progress.failures.items()),
        "numbers": problem or _numbers_of(progress, comparison),
    }
    rows = tuple(Row(arm, seed) for arm, seeds in progress.seeds.items() for seed in seeds)
    texts.update(pair for row in rows for pair in _row(row, progress))
    if comparison:
        texts.update(
            (f"{arm.name}/{column.key}", " ".join(filter(None, (shown.text, shown.marked_delta))))
            for arm in comparison.arms
            for column in columns
            for shown in [cell(comparison, arm, column)]
        )
    return LivePage(folder.name, progress.model, progress.judge, rows, progress.totals, columns, texts)


def _told(progress: Progress, seconds_left: float | None) -> str:
    parts = []
    if progress.state is State.RUNNING:
        parts.append(f"Process {progress.worker} is at work.")
        parts.append(f"About {duration(seconds_left)} to go at the pace so far." if seconds_left is not None else "")
    elif progress.state is State.STOPPED:
        parts.append("No process of this machine is at work; the same command goes on from here.")
    elif progress.state is State.WAITING:
        parts.append("There is no run.json yet.")
    if progress.started:
        parts.append(f"Started {progress.started:%Y-%m-%d %H:%M} {progress.started.tzname()}.")
    if progress.newest and progress.state is not State.FINISHED:
        parts.append(f"Last reply {duration(max(0.0, time.time() - progress.newest))} ago.")
    return " ".join(filter(None, parts))


def _tenths(progress: Progress) -> str:
    """How far, in steps of ten percent: a screen reader says it whenever it changes."""
    return f"{10 * (10 * progress.done // progress.total)} % of the replies." if progress.total else ""


def _numbers_of(progress: Progress, comparison: Comparison | None) -> str:
    if not progress.finished:
        return "None yet: a number needs every reply of its cell."
    if comparison is None:
        return "The first are being made."
    return f"Of the {len(progress.finished)} of {len(progress.replies)} cells that are finished."


def _row(row: Row, progress: Progress) -> Iterator[tuple[str, str]]:
    replies = {name: progress.replies[Cell(row.arm, row.seed, name)] for name in progress.totals}
    yield row.key("state"), _state(row, progress, replies)
    for name, done in replies.items():
        yield row.key(name), f"{done:,}"


def _state(row: Row, progress: Progress, replies: Mapping[str, int]) -> str:
    if row.arm in progress.failures:
        return "failed"
    if all(done >= progress.totals[name] for name, done in replies.items()):
        return "finished"
    if (row.arm, row.seed) in progress.fits:
        return "fitted" if not any(replies.values()) else "answers"
    return "not fitted"
