"""What a process was at, kept beside the run, so that the next start can tell how one ended that could not say it.

A process that is killed for want of memory leaves no message, and no traceback.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from harness.memory import machine_bytes
from harness.storage import write_json, writing
from methods.peak_memory import resident_bytes

FIT_ADVICE = "Try --dtype bfloat16, or settings of the method that learn from fewer or shorter prompts."
_PREFIX = ".working-"
_LOOKED_EVERY = 0.5
"""Seconds between two looks at the memory that is held."""
_GROWN = 1.05
"""A peak so many times the last that was written down is worth writing again."""
_NEARLY_ALL = 0.8
"""Share of the machine's memory from which a process that was killed most likely took too much."""
_COUNTERS = Path("/proc/vmstat")


@contextmanager
def working(root: Path, doing: str, advice: str) -> Iterator[None]:
    """Note in a run's folder what is done inside the block, with the most memory held; the note goes when it ends.

    Args:
        root: Folder of the run.
        doing: As it follows "the last start ended while".
        advice: What takes less memory, in one sentence.

    Raises:
        StorageError: If the folder cannot be written to.
    """
    path = root / f"{_PREFIX}{socket.gethostname()}-{os.getpid()}.json"
    facts = {"doing": doing, "advice": advice, "memory": machine_bytes(), "kills": _kills()}
    over, peak = Event(), resident_bytes()
    with writing(root):
        write_json(path, {**facts, "peak": peak})
    watch = Thread(target=_watch, args=(path, facts, peak, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
        path.unlink(missing_ok=True)


def tell_left_behind(root: Path, note: Callable[[str], None]) -> None:
    """Say of every process that ended in the middle of its work what it was at, and forget it; the run is locked."""
    for path in sorted(root.glob(f"{_PREFIX}*.json")):
        try:
            note(f"warning: {_told(json.loads(path.read_text(encoding='utf-8')))}")
        except (ValueError, KeyError, TypeError):  # it was killed as it wrote, or a user wrote in it
            note("warning: the last start was killed; what it was at cannot be read.")
        path.unlink()


def _told(facts: dict[str, str | int | None]) -> str:
    peak, memory, kills = int(facts["peak"] or 0), int(facts["memory"] or 0), facts["kills"]
    held = f"(it held {peak / 2**30:.1f} of {memory / 2**30:.1f} GiB)"
    text = f"the last start ended while {facts['doing']} {held}: killed"
    if (kills is not None and (_kills() or 0) > int(kills)) or peak >= _NEARLY_ALL * memory:
        return f"{text}, most likely for memory. {facts['advice']}"
    return f"{text} from outside, and not for memory as far as can be told."


def _kills() -> int | None:
    """Processes that the system has ended for want of memory since it started; None where it does not count them."""
    try:
        lines = _COUNTERS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _watch(path: Path, facts: dict[str, str | int | None], written: int, over: Event) -> None:
    while not over.wait(_LOOKED_EVERY):
        held = resident_bytes()
        if held > _GROWN * written:
            written = held
            try:
                write_json(path, {**facts, "peak": held})
            except OSError:  # the work itself will meet a disk that refuses, and say so
                return
