"""What no other beats in both safety and utility: what is left to choose from for somebody with another objective."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Axes(NamedTuple):
    """Where one lies; more is better on both."""

    safety: float
    utility: float


def dominates(one: Axes, other: Axes) -> bool:
    """Whether `one` is at least as good on both axes, and better on one."""
    return one != other and one.safety >= other.safety and one.utility >= other.utility


def front(items: Sequence[T], axes: Callable[[T], Axes]) -> tuple[T, ...]:
    """The items that no other dominates, from the most useful to the safest; equal ones all stay, in their order."""
    places = [axes(item) for item in items]
    kept = [item for item, place in zip(items, places, strict=True) if not any(dominates(o, place) for o in places)]
    return tuple(sorted(kept, key=lambda item: axes(item).safety))
