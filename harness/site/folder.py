"""The folder of a site: made by us, told by its marker, and written so that nothing of others is lost."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from benchmarks.errors import UserError
from harness.storage import write_json, write_whole, writing

MARKER = "equipoise-site.json"
"""Names every file of the site, so that the next one can take away what it no longer has."""


def check_is_ours(output: Path) -> None:
    """Refuse a folder that holds other things than a site of ours, and make one where there is none.

    Raises:
        StorageError: If the disk refuses.
        UserError: If `output` is a file, or a folder with something else in it.
    """
    if output.exists() and not output.is_dir():
        raise UserError(f"'{output}' is a file. Choose another --output.")
    with writing(output):
        if output.is_dir() and any(output.iterdir()) and _listed(output) is None:
            raise UserError(
                f"'{output}' is not empty and was not made by 'equipoise leaderboard' (it has no {MARKER}). "
                "Choose another --output."
            )
        output.mkdir(parents=True, exist_ok=True)


def write_folder(output: Path, files: Mapping[str, bytes]) -> None:
    """Write all files of a site, by their paths in it, and take away those of an older one that are not among them.

    Raises:
        StorageError: If the disk refuses.
        UserError: If the folder is not ours.
    """
    check_is_ours(output)
    with writing(output):
        old = _listed(output) or []
        write_json(output / MARKER, sorted({*old, *files}))  # a kill from here on leaves no file unlisted
        for name, content in files.items():
            write_whole(output / name, content)
        for name in old:
            if name not in files:
                _remove(output, name)
        write_json(output / MARKER, sorted(files))


def _listed(output: Path) -> list[str] | None:
    """Files of the site that is there; None where there is none."""
    try:
        names = json.loads((output / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else None


def _remove(output: Path, name: str) -> None:
    """One file, and the folders that it leaves empty. The list may have been edited: nothing outside is touched."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return
    (output / path).unlink(missing_ok=True)
    for folder in list(path.parents)[:-1]:
        if (output / folder).is_dir() and not any((output / folder).iterdir()):
            (output / folder).rmdir()
