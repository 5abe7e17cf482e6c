"""Reading states and next tokens in passes that are bounded by tokens."""

from collections.abc import Sequence

import pytest
import torch

from benchmarks.base import Prompt
from harness.conformance.families import FAMILIES
from harness.transformers_model import TransformersModel
from methods import residual
from methods.cavgan.features import question_states
from methods.refusal_direction.selection import next_token
from methods.residual import read_in_passes, read_states
from tests.methods.tiny_models import embedded_data, tiny


def prompts() -> list[Prompt]:
    """Short ones and long ones, in no order of length."""
    train = embedded_data().train
    return [train[index * len(train) // 7] for index in (3, 0, 6, 1, 5, 2, 4)]


def rows(model: TransformersModel) -> list[tuple[int, ...]]:
    return [model.encode(prompt).ids for prompt in prompts()]


def test_what_is_read_comes_in_the_order_of_the_rows_and_like_lengths_share_a_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(residual, "READ_TOKENS", 12)
    lengths, seen = [5, 3, 8, 3, 4, 6, 20], list[list[int]]()

    def read(part: Sequence[int]) -> torch.Tensor:
        seen.append([lengths[number] for number in part])
        return torch.tensor([[number] for number in part])

    assert read_in_passes([[0] * length for length in lengths], read).flatten().tolist() == list(range(7))
    assert seen == [[3, 3, 4], [5, 6], [8], [20]]


@pytest.mark.parametrize("family", FAMILIES)
def test_small_passes_read_what_one_large_pass_reads(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(family)
    asked, ids = prompts(), rows(tiny(family))
    ends = [[len(row) - 2, len(row) - 1] for row in ids]

    def read() -> list[torch.Tensor]:
        tokens = next_token(model, [model.encode(prompt) for prompt in asked])
        return [read_states(model, ids, ends), question_states(model, asked, "first_generated"), tokens]

    whole = read()
    monkeypatch.setattr(residual, "READ_TOKENS", 1)
    for found, expected in zip(read(), whole, strict=True):
        assert torch.allclose(found, expected, atol=2e-4)


def test_reading_goes_on_with_smaller_passes_where_memory_runs_out() -> None:
    model, ids = tiny(), rows(tiny())
    ends = [[len(row) - 1] for row in ids]
    whole = read_states(model, ids, ends)

    def refuse_many(_: torch.nn.Module, __: object, given: dict[str, torch.Tensor]) -> None:
        if len(given["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    handle = model.network.register_forward_pre_hook(refuse_many, with_kwargs=True)
    found = read_states(model, ids, ends)
    handle.remove()
    assert torch.allclose(found, whole, atol=2e-4)


def test_no_hook_stays_behind_where_a_pass_fails() -> None:
    model = tiny()
    with pytest.raises(IndexError):
        residual.next_token_logits(model, [[10**6]])
    assert not list(model.network.get_output_embeddings()._forward_pre_hooks)  # type: ignore[operator]
