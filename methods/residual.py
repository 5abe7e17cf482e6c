"""The residual stream: read it after every block, and change it while the model runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from methods.base import Block, ChatModel, ForwardState
from methods.padding import padded
from methods.passes import Passes

READ_AT_ONCE = 32
"""Prompts whose states are held together by those who need no more of them than a few numbers each."""
READ_TOKENS = 4096
"""Of all rows of a pass; the same for every caller, so that a fit does not depend on a batch size."""

Weights = Callable[[ForwardState], Float[Tensor, "row token"]]
"""How strongly to add at every token of the pass that runs."""


@torch.no_grad()
def read_states(
    model: ChatModel, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]
) -> Float[Tensor, "row place layer width"]:
    """The residual stream after every block at chosen tokens, in float32 on the CPU.

    The network is called directly, so `running` is None and arms that act on replies alone stand still.

    Args:
        model: Whose network is run.
        rows: Token ids, of any length each.
        places: For every row, indices of the tokens to read; as many for each row.
    """

    def read(part: Sequence[int]) -> Tensor:
        ids, _ = padded([rows[number] for number in part], model.device, "right")
        return _states(model, ids, torch.tensor([places[number] for number in part], device=model.device))

    return read_in_passes(rows, read)


def read_in_passes(rows: Sequence[Sequence[int]], read: Callable[[Sequence[int]], Tensor]) -> Tensor:
    """What `read` gives for the rows of these numbers, for all rows in their order.

    Rows of like length share a pass, which is bounded by tokens, and smaller where memory runs out.
    """
    parts = Passes(READ_TOKENS).each(
        range(len(rows)), lambda number: len(rows[number]), lambda part: (list(part), read(part))
    )
    numbers, found = zip(*parts, strict=True)
    return torch.cat(found)[torch.tensor([number for part in numbers for number in part]).argsort()]


@torch.no_grad()
def next_token_logits(model: ChatModel, rows: Sequence[Sequence[int]]) -> Float[Tensor, "row vocabulary"]:
    """What the network says of the token after each row, in its own type, with the output layer at that place only.

    The network is called directly, so `running` is None and arms that act on replies alone stand still.
    """
    ids, _ = padded(rows, model.device, "right")
    row, last = torch.arange(len(rows)), torch.tensor([len(one) - 1 for one in rows])

    def choose(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0][row.to(args[0].device), last.to(args[0].device)][:, None], *args[1:])

    handle = cast("PreTrainedModel", model.network).get_output_embeddings().register_forward_pre_hook(choose)
    try:
        logits: Tensor = model.network(input_ids=ids, use_cache=False).logits
    finally:
        handle.remove()
    return logits[:, 0]


@contextmanager
def changed_outputs(blocks: Sequence[Block], change: Callable[[Block, Tensor], Tensor]) -> Iterator[None]:
    """Replace the residual stream after each of these blocks by what `change` makes of it; it must not edit in place.

    `change` sees shape `(row, token, width)`.
    """

    def hook(block: Block) -> Callable[[nn.Module, object, object], object]:
        def on_output(_: nn.Module, __: object, output: object) -> object:
            changed = change(block, hidden(output))
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return on_output

    with ExitStack() as stack:
        for block in blocks:
            stack.callback(block.module.register_forward_hook(hook(block)).remove)
        yield


@contextmanager
def added(model: ChatModel, vectors: Mapping[int, Float[Tensor, " width"]], weights: Weights) -> Iterator[None]:
    """Add `weights * vectors[index]` to the residual stream after block `index`, in `generate` and `log_probabilities`.

    Passes outside of these, as in fitting another method, are left alone.
    """
    ready = {index: vector.to(model.device, model.dtype) for index, vector in vectors.items()}

    def change(block: Block, stream: Tensor) -> Tensor:
        if model.running is None:
            return stream
        weight = weights(model.running).to(stream.device, stream.dtype)
        return stream + weight[..., None] * ready[block.index].to(stream.device)

    with changed_outputs([block for block in model.blocks if block.index in ready], change):
        yield


def hidden(output: object) -> Float[Tensor, "row token width"]:
    """The residual stream in what a block returns: a tensor, or the first entry of a tuple in older families."""
    stream = output[0] if isinstance(output, tuple) else output
    assert isinstance(stream, Tensor)
    return stream


def _states(
    model: ChatModel,
    ids: Int[Tensor, "row token"],
    places: Int[Tensor, "row place"],
) -> Float[Tensor, "row place layer width"]:
    layers: list[Tensor] = []
    row = torch.arange(len(ids), device=ids.device)[:, None]

    def keep(_: Block, stream: Tensor) -> Tensor:
        layers.append(stream[row, places].float().cpu())
        return stream

    with changed_outputs(model.blocks, keep):
        # Rows end with padding, where a causal network never looks: without a mask attention is faster.
        model.network(input_ids=ids, use_cache=False, logits_to_keep=1)
    return torch.stack(layers, dim=2)
