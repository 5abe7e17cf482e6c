"""Single values of a configuration, checked: the same for a flag and for a key of a file."""

import math
from collections.abc import Sequence
from datetime import date

from benchmarks.brackets import split_outside_brackets
from benchmarks.errors import UserError


def whole_number(name: str, value: object, low: int) -> int:
    """An integer of at least `low`, from a number or its text.

    Raises:
        UserError: If it is none.
    """
    number = _number(value)
    if not isinstance(number, int) or number < low:
        raise UserError(f"{name} is {value!r}; it must be a whole number from {low}.")
    return number


def batch_size(value: object) -> int | None:
    """Prompts a batch; None for `auto`.

    Raises:
        UserError: If it is neither `auto` nor a whole number from 1.
    """
    if value == "auto":
        return None
    number = _number(value)
    if not isinstance(number, int) or number < 1:
        raise UserError(f"batch size is {value!r}; it must be 'auto' or a whole number from 1.")
    return number


def limit(value: object) -> int | float:
    """How many prompts of each benchmark, or which share of them. `Benchmark.limited` refuses what leaves none.

    Raises:
        UserError: If it is no number.
    """
    number = _number(value)
    if number is None or (isinstance(number, float) and not 0 <= number <= 1):
        raise UserError(f"limit is {value!r}; it must be a whole number from 1, or a share between 0 and 1.")
    return number


def seeds(value: object) -> tuple[int, ...]:
    """Seeds from a number, a list, or texts with commas.

    Raises:
        UserError: If one is no whole number from 0, or given twice.
    """
    numbers = tuple(whole_number("seed", part, low=0) for part in _parts(value))
    if not numbers:
        raise UserError("No seed is given. Leave seeds out to run with seed 0.")
    if len(set(numbers)) < len(numbers):
        raise UserError(f"seeds are {', '.join(map(str, numbers))}; each may be given once.")
    return numbers


def names(kind: str, value: object) -> tuple[str, ...]:
    """Names from a list, or from texts with commas outside brackets; repeated ones once.

    Raises:
        UserError: If there is none, or one is no text.
    """
    listed = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    texts = [part.strip().strip(",") if isinstance(part, str) else part for part in listed]
    split = [split_outside_brackets(part) if isinstance(part, str) else [part] for part in texts if part != ""]
    parts = [part for found in split for part in found]
    if not parts or not all(isinstance(part, str) for part in parts):
        raise UserError(f"{kind} are {value!r}; they must be names.")
    return tuple(dict.fromkeys(str(part) for part in parts))


def text(name: str, value: object) -> str:
    """A text that is not empty.

    Raises:
        UserError: If it is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{name} is {value!r}; it must be a text.")
    return value.strip()


def choice(name: str, value: object, known: Sequence[str]) -> str:
    """One of some words.

    Raises:
        UserError: If it is none of them.
    """
    if value not in known:
        raise UserError(f"{name} is {value!r}; it must be {' or '.join(map(repr, known))}.")
    return str(value)


def truth(name: str, value: object) -> bool:
    """A truth value.

    Raises:
        UserError: If it is none.
    """
    if not isinstance(value, bool):
        raise UserError(f"{name} is {value!r}; it must be true or false.")
    return value


def day(name: str, value: object) -> date:
    """A date, which YAML reads as one, or its text.

    Raises:
        UserError: If it is none.
    """
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise UserError(f"{name} is {value!r}; it must be a date such as 2024-07-26.") from error


def real_number(name: str, value: object) -> float:
    """A finite number.

    Raises:
        UserError: If it is none.
    """
    number = _number(value)
    if number is None:
        raise UserError(f"{name} is {value!r}; it must be a number.")
    return float(number)


def _parts(value: object) -> list[object]:
    listed = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    split = [part.split(",") if isinstance(part, str) else [part] for part in listed]
    stripped = [part.strip() if isinstance(part, str) else part for parts in split for part in parts]
    return [part for part in stripped if part != ""]


def _number(value: object) -> int | float | None:
    """A finite number from a number or its text; None for anything else, truth values among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        try:
            number = float(value)
        except ValueError:
            return None
    return number if math.isfinite(number) else None
