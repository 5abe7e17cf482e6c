"""Paths in a run file are taken from the folder of that file, wherever the command is typed."""

import os
import re
from pathlib import Path

from benchmarks.attacks import NAMES

_PATHS = re.compile(r"(?P<before>file:|attack=|model=(?=\.))(?P<path>[^\[\],+]+)|(?P<own>[^\[\],+=:@]+\.py)(?=:)")


def rooted(path: str, folder: Path) -> str:
    """A path from `folder` as one from the current directory; an absolute one as it is. Variables are filled in."""
    return os.path.normpath(folder / os.path.expandvars(path.strip()))


def rooted_paths(text: str, folder: Path) -> str:
    """Names in which `file:PATH`, `attack=PATH`, `model=./PATH` and `PATH.py:Name` are rooted; all else stays.

    Templates that are known by name are no path.
    """

    def found(match: re.Match[str]) -> str:
        if match["before"] == "attack=" and match["path"] in NAMES:
            return match[0]
        return f"{match['before'] or ''}{rooted(match['path'] or match['own'], folder)}"

    return _PATHS.sub(found, text)
