"""Batches that are cut the same way every time, and that shrink when memory runs out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from methods.passes import is_out_of_memory

T = TypeVar("T")
R = TypeVar("R")

AUTOMATIC = 32
"""Where `--batch-size auto` starts; the longest prompts come first, so a size that is too large fails at once."""


@dataclass(slots=True)
class BatchSize:
    """How many prompts are answered together. It only ever shrinks."""

    value: int
    on_halving: Callable[[int], None]
    """Told the new size."""

    def halve(self) -> None:
        """Go on with half as many."""
        self.value //= 2
        self.on_halving(self.value)


def in_batches(
    items: Sequence[T], is_done: Callable[[T], bool], size: BatchSize, work: Callable[[list[T]], list[R]]
) -> Iterator[list[R]]:
    """Work on what is not done, batch by batch.

    Batches are cut from the whole list, whatever is done already, so a resumed run cuts as an undisturbed one does.
    Finished batches are saved whole, so only a line lost from the middle of one leaves it with some members done; then
    the others are worked on alone, and no finished one is repeated.

    Raises:
        RuntimeError: If memory runs out over a single item.
    """
    batches = deque(_cut(items, size.value))
    while batches:
        batch = batches.popleft()
        wanted = [item for item in batch if not is_done(item)]
        if not wanted:
            continue
        results = work_within_memory(wanted, work)
        if results is not None:
            yield results
            continue
        size.halve()
        rest = [item for later in (batch, *batches) for item in later]
        batches = deque(_cut(rest, size.value))


def work_within_memory(batch: list[T], work: Callable[[list[T]], list[R]]) -> list[R] | None:
    """The results, or None if memory ran out over more than one item; the tensors of the failed try are then freed."""
    try:
        return work(batch)
    except RuntimeError as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
        return None


def _cut(items: Sequence[T], size: int) -> list[list[T]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
