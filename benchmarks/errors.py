"""The one error that is a user's to mend, and how errors are told."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(Exception):
    """A mistake of the user's, told in one line: what is wrong, what was seen, what would work. Exit code 2."""


def describe(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def find(kind: str, name: str, table: Mapping[str, T]) -> T:
    """What a table holds under a name.

    Raises:
        UserError: If it holds nothing there.
    """
    if name not in table:
        raise unknown_name(kind, name, table)
    return table[name]


def unknown_name(kind: str, name: str, available: Iterable[str]) -> UserError:
    """The error for a name that no table knows, with the nearest one that it does."""
    names = sorted(available)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return UserError(f"No {kind} named '{name}'. {hint}Available: {', '.join(names)}.")
