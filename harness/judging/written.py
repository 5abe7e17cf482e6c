"""Where the outcome of `equipoise judge` goes: the terminal, and a file if one is named."""

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.errors import UserError
from harness.documents import document
from harness.judging.outcome import Outcome
from harness.judging.table import as_json, markdown, render
from harness.storage import write_whole, writing


def printed(found: Outcome, *, as_json: bool) -> str:
    """The table, or the same as JSON."""
    return _json(found) if as_json else render(found)


def check_ending(path: Path) -> None:
    """Before judging, which may be slow or cost money.

    Raises:
        UserError: If the ending of the file is none that can be written.
    """
    if path.suffix not in KINDS:
        raise UserError(f"--output '{path}' ends in neither .md nor .json. Name a Markdown or a JSON file.")


def write(found: Outcome, path: Path) -> None:
    """Write a file of the kind that its ending says, one of `check_ending`.

    Raises:
        StorageError: If the disk refuses.
    """
    with writing(path.parent):
        write_whole(path, KINDS[path.suffix](found).encode(errors="backslashreplace"))


def _json(found: Outcome) -> str:
    return document(as_json(found)) + "\n"


KINDS: Mapping[str, Callable[[Outcome], str]] = {".md": markdown, ".json": _json}
"""By the ending of a file."""
