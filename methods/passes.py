"""Work cut into passes of so many tokens, and into smaller ones once memory ran out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Passes:
    """How many tokens go through a network at once. It only ever shrinks."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.has_shrunk = False

    def each(self, items: Sequence[T], length: Callable[[T], int], work: Callable[[Sequence[T]], R]) -> Iterator[R]:
        """The result of every pass; items of like length share one, for short ones are padded to the longest.

        Raises:
            RuntimeError: If memory runs out over a single item.
        """
        waiting = deque(self._cut(sorted(items, key=length), length))
        while waiting:
            part = waiting.popleft()
            found = _within_memory(part, work)
            if found:
                yield from found
                continue
            self.tokens = len(part) * length(part[-1]) // 2
            self.has_shrunk = True
            waiting = deque(self._cut([item for later in (part, *waiting) for item in later], length))

    def _cut(self, items: Sequence[T], length: Callable[[T], int]) -> list[list[T]]:
        parts: list[list[T]] = []
        for item in items:
            # Items come in the order of their lengths, so the last one is the longest of its part.
            if parts and (len(parts[-1]) + 1) * length(item) <= self.tokens:
                parts[-1].append(item)
            else:
                parts.append([item])
        return parts


def _within_memory(part: Sequence[T], work: Callable[[Sequence[T]], R]) -> list[R]:
    """The one result, or none if memory ran out over more than one item; what the failed try held is then freed."""
    try:
        return [work(part)]
    except RuntimeError as error:
        if len(part) == 1 or not is_out_of_memory(error):
            raise
        return []


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device or the machine had no room; `torch.OutOfMemoryError` and what backends raise say it in words."""
    said = str(error).lower()
    return "out of memory" in said or "can't allocate memory" in said
