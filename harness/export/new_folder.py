"""A folder that is written whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from benchmarks.errors import UserError
from harness.storage import StorageError, writing


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name when all went well and is gone when not.

    Raises:
        StorageError: If the disk refuses.
        UserError: If something is there already.
    """
    output = Path(os.path.abspath(output))
    check_is_free(output)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with writing(output), _as_os_errors():
            temporary.mkdir(parents=True)
            yield temporary
            temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_is_free(output: Path) -> None:
    """Refuse to write over anything.

    Raises:
        UserError: If `output` is a file, or a folder with something in it.
    """
    if output.is_symlink() or output.is_file():
        raise UserError(f"'{output}' is there already. Choose another --output.")
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"'{output}' is not empty, and nothing is written over. Choose another --output.")


def check_space(folder: Path, needed: int) -> None:
    """Refuse before gigabytes are written in vain.

    Args:
        folder: Where they are to go.
        needed: Bytes.

    Raises:
        StorageError: If the disk has less.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"The checkpoint needs {_size(needed)}, and the disk of '{folder.parent}' has {_size(free)} left. "
            "Free some, choose another --output, or a smaller --dtype."
        )


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What safetensors says of the disk, as Python says it."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number.group(1)), str(error)) from error


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"
