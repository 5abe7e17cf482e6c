import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.batching import BatchSize, in_batches


class Worker:
    """Doubles numbers, with room for so many at once."""

    def __init__(self, room: int, words: str = "CUDA out of memory") -> None:
        self.room, self.words = room, words
        self.batches: list[list[int]] = []

    def __call__(self, batch: list[int]) -> list[int]:
        if len(batch) > self.room:
            raise RuntimeError(self.words)
        self.batches.append(batch)
        return [2 * item for item in batch]


@given(st.integers(0, 40), st.integers(1, 16), st.integers(1, 16), st.sets(st.integers(0, 39)))
def test_what_is_not_done_is_worked_on_once_and_in_order(count: int, size: int, room: int, done: set[int]) -> None:
    worker, items = Worker(room), list(range(count))
    found = list(in_batches(items, done.__contains__, BatchSize(size, lambda _: None), worker))
    wanted = [item for item in items if item not in done]
    assert [item for batch in worker.batches for item in batch] == wanted
    assert [item for batch in found for item in batch] == [2 * item for item in wanted]


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 6))
def test_batches_are_cut_alike_after_a_stop_between_batches(count: int, size: int, finished: int) -> None:
    whole, resumed = Worker(99), Worker(99)
    list(in_batches(range(count), lambda _: False, BatchSize(size, lambda _: None), whole))
    done = {item for batch in whole.batches[:finished] for item in batch}
    list(in_batches(range(count), done.__contains__, BatchSize(size, lambda _: None), resumed))
    assert resumed.batches == whole.batches[finished:]


def test_the_smaller_size_is_kept_and_told() -> None:
    told: list[int] = []
    size = BatchSize(8, told.append)
    list(in_batches(range(16), lambda _: False, size, Worker(3)))
    assert (size.value, told) == (2, [4, 2])


@pytest.mark.parametrize("words", ["CUDA out of memory.", "DefaultCPUAllocator: can't allocate memory"])
def test_memory_that_does_not_hold_one_item_is_an_error(words: str) -> None:
    with pytest.raises(RuntimeError, match="memory"):
        list(in_batches([1, 2], lambda _: False, BatchSize(2, lambda _: None), Worker(0, words)))


def test_another_error_is_not_taken_for_memory() -> None:
    worker = Worker(1, "shape mismatch")
    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(in_batches([1, 2], lambda _: False, BatchSize(2, lambda _: None), worker))
    assert worker.batches == []


def test_torch_says_out_of_memory_in_words_that_are_known() -> None:
    torch = pytest.importorskip("torch")
    assert issubclass(torch.OutOfMemoryError, RuntimeError)
