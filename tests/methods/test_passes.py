import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.passes import Passes

lengths = st.lists(st.integers(1, 50), max_size=20)


def listed(part: object) -> list[int]:
    assert isinstance(part, list)
    return part


@given(lengths, st.integers(1, 200))
def test_every_item_is_in_one_pass_and_no_pass_is_too_large_but_for_a_single_item(items: list[int], size: int) -> None:
    parts = list(Passes(size).each(items, lambda item: item, listed))
    assert sorted(item for part in parts for item in part) == sorted(items)
    assert all(len(part) * max(part) <= size or len(part) == 1 for part in parts)


@given(lengths, st.integers(1, 200), st.integers(50, 200))
def test_where_memory_runs_out_passes_shrink_until_they_fit(items: list[int], size: int, room: int) -> None:
    passes = Passes(size)

    def work(part: object) -> list[int]:
        if len(listed(part)) * max(listed(part)) > room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return listed(part)

    parts = list(passes.each(items, lambda item: item, work))
    assert sorted(item for part in parts for item in part) == sorted(items)
    assert passes.has_shrunk == (passes.tokens != size)
    assert passes.tokens <= size


def test_items_of_one_length_keep_their_order() -> None:
    assert list(Passes(3).each(range(7), lambda _: 1, listed)) == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("message", ["shape mismatch", "CUDA error: device-side assert triggered"])
def test_another_error_is_not_taken_for_memory(message: str) -> None:
    def work(part: object) -> None:
        raise RuntimeError(f"{message} over {part}")

    with pytest.raises(RuntimeError, match=message):
        list(Passes(9).each([1, 2], lambda item: item, work))
