"""Writing so that nothing already written is lost: whole files by renaming, and clear words when the disk refuses."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "there is a file of that name",
    errno.ENOENT: "the folder cannot be made there",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the disk failed",
    errno.EFBIG: "a file grew larger than the file system, or a limit on this process, allows",
}


class StorageError(UserError):
    """The run folder cannot be written to: this ends the whole run, not one arm."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses inside the block into one clear line.

    Raises:
        StorageError: If `folder` cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        raise StorageError(
            f"Cannot write to '{folder}': {_REASONS[error.errno]}. Replies that were saved before are kept. "
            "Mend this and run the same command again, or choose another --output."
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 - the JSON edge
    """Write readable JSON. Keys keep their order: that of arms and benchmarks means something.

    Raises:
        ValueError: If a number is NaN or infinite.
    """
    write_whole(path, json_bytes(content))


def json_bytes(content: Any) -> bytes:  # noqa: ANN401 - the JSON edge
    """What `write_json` writes."""
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def append_durably(path: Path, content: bytes) -> None:
    """Append with one write, and return when it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        written = file.write(content)
        if written != len(content):
            raise OSError(errno.ENOSPC, "short write", str(path))
        os.fsync(file.fileno())
