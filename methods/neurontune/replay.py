"""Run the end of one teacher-forced sequence again and again, from any block on, with activations of our choosing.

Integrated gradients need many passes that differ in a few activations of one layer. What lies before those activations
never changes, so it is computed once: keys and values of the earlier positions, and the input of every block.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from methods.base import Block, ChatModel
from methods.teacher_forcing import Pair, output_layer

Activations = Mapping[int, Float[Tensor, "row position neuron"]]
"""By block index: what the neurons at the first replayed positions shall be."""


class Record(NamedTuple):
    """What a clean pass saw."""

    inputs: list[Float[Tensor, "1 position hidden"]]
    """Of every block."""
    activations: list[Float[Tensor, "position neuron"]]
    """Of every block's neurons."""
    logits: Float[Tensor, "1 kept vocabulary"]


class Traced(NamedTuple):
    """Predictions of the response, and the neurons of every block that they came from, in one graph."""

    logits: Float[Tensor, "1 target vocabulary"]
    activations: list[Float[Tensor, "1 position neuron"]]


class Replay:
    """The positions from `start` on of a prompt with its response, the last response token left out.

    `logits` and `logits_of_block` give the predictions of all response tokens, one row for each row of activations.
    """

    def __init__(self, model: ChatModel, pair: Pair, start: int) -> None:
        ids = torch.tensor([[*pair.prompt, *pair.reply[:-1]]], device=model.device)
        self.model = model
        self.targets = torch.tensor(pair.reply, device=model.device)
        self.positions = ids.shape[1] - start
        self._block = sum(_size(block.module) for block in model.blocks) / len(model.blocks)
        self._output = _size(output_layer(model.network))
        self._whole = self._block * len(model.blocks) * ids.shape[1] + self._output * len(self.targets)
        self._ids = ids[:, start:]
        self._position_ids = torch.arange(start, ids.shape[1], device=model.device)[None, :]
        with torch.no_grad():
            self._prefix = _read_prefix(model, ids[:, :start])
            self.clean = self._record()

    def share(self, block_tokens: int, predictions: int) -> float:
        """What part of one pass of the whole sequence so many tokens through a block and predictions cost.

        By parameters that each meets: a small model's output layer weighs as much as eight of its blocks.
        """
        return (self._block * block_tokens + self._output * predictions) / self._whole

    def logits(self, first_block: int, activations: Activations) -> Float[Tensor, "row target vocabulary"]:
        """Predictions of the response, running blocks from `first_block` on with `activations` in place.

        No block before `first_block` may be among those whose activations are given.
        """
        rows = next(iter(activations.values())).shape[0]
        blocks = self.model.blocks
        with ExitStack() as stack:
            for block in blocks[:first_block]:
                stack.enter_context(_passing_through(block))
            stack.enter_context(_input_of(blocks[first_block], self.clean.inputs[first_block].expand(rows, -1, -1)))
            for index, values in activations.items():
                stack.enter_context(_neurons_of(blocks[index], values))
            return self._forward(rows)

    def logits_of_block(
        self, index: int, values: Float[Tensor, "row position neuron"]
    ) -> Float[Tensor, "row target vocabulary"]:
        """As `logits` with one block's activations, which end at the last prompt token or with the response.

        Behind activations that end earlier, the block's output is clean: it runs on their positions alone, and the
        blocks after it on all.
        """
        rows, length = values.shape[:2]
        if length == self.positions:
            return self.logits(index, {index: values})
        blocks = self.model.blocks
        outputs: list[Tensor] = []
        with ExitStack() as stack:
            for block in (*blocks[:index], *blocks[index + 1 :]):
                stack.enter_context(_passing_through(block))
            block = blocks[index]
            stack.enter_context(_input_of(block, self.clean.inputs[index][:, :length].expand(rows, -1, -1)))
            stack.enter_context(_neurons_of(block, values))
            stack.enter_context(_reading_output(block.module, outputs))
            first_target = self._forward(rows, length, keep=1)
        if index + 1 == len(blocks):
            return torch.cat([first_target, self.clean.logits[:, 1:].expand(rows, -1, -1)], dim=1)
        behind = self.clean.inputs[index + 1][:, length:].expand(rows, -1, -1)
        with ExitStack() as stack:
            for block in blocks[: index + 1]:
                stack.enter_context(_passing_through(block))
            stack.enter_context(_input_of(blocks[index + 1], torch.cat([outputs[0], behind], dim=1)))
            return self._forward(rows)

    def traced(self) -> Traced:
        """A clean pass whose logits can be differentiated by every block's neurons."""
        first = self.clean.activations[0][None].detach().requires_grad_()
        later: list[Tensor] = []
        with ExitStack() as stack:
            for block in self.model.blocks[1:]:
                stack.enter_context(_reading_input(block.dense.down_projection, later))
            return Traced(self.logits(0, {0: first}), [first, *later])

    def _forward(
        self, rows: int, positions: int | None = None, keep: int | None = None
    ) -> Float[Tensor, "row kept vocabulary"]:
        """One pass over the first `positions` (all by default), with the last `keep` predictions (one a target)."""
        output = self.model.network(
            input_ids=self._ids[:, :positions].expand(rows, -1),
            position_ids=self._position_ids[:, :positions].expand(rows, -1),
            past_key_values=self._prefix,
            use_cache=self._prefix is not None,
            logits_to_keep=keep or len(self.targets),
        )
        logits: Tensor = output.logits
        return logits

    def _record(self) -> Record:
        inputs: list[Tensor] = []
        activations: list[Tensor] = []
        with ExitStack() as stack:
            for block in self.model.blocks:
                stack.enter_context(_reading_input(block.module, inputs))
                stack.enter_context(_reading_input(block.dense.down_projection, activations))
            logits = self._forward(1)
        return Record(inputs, [values[0] for values in activations], logits)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def neuron_activations(model: ChatModel, pair: Pair, positions: slice) -> list[Float[Tensor, "position neuron"]]:
    """Every block's neurons at some positions of a prompt with its response, in a single clean pass."""
    ids = torch.tensor([[*pair.prompt, *pair.reply[:-1]]], device=model.device)
    seen: list[Tensor] = []
    with torch.no_grad(), ExitStack() as stack:
        for block in model.blocks:
            stack.enter_context(_reading_input(block.dense.down_projection, seen))
        model.network(input_ids=ids, use_cache=False, logits_to_keep=1)
    return [values[0, positions] for values in seen]


class _SharedPrefixLayer(DynamicLayer):
    """Keys and values of one row that any number of rows may stand on; nothing is ever added to it."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values
        self._prefix = keys, values

    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        *_args: Any,  # noqa: ANN401 - the base class's signature
        **_kwargs: Any,  # noqa: ANN401
    ) -> tuple[Tensor, Tensor]:
        """The prefix before the new states, for as many rows as those have."""
        rows = key_states.shape[0]
        keys, values = (states.expand(rows, -1, -1, -1) for states in self._prefix)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


def _read_prefix(model: ChatModel, ids: Tensor) -> Cache | None:
    if ids.shape[1] == 0:
        return None
    cache = DynamicCache()
    model.network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    layers = [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]
    return Cache(layers=[_SharedPrefixLayer(_there(layer.keys), _there(layer.values)) for layer in layers])


def _there(states: Tensor | None) -> Tensor:
    assert states is not None, "a layer was passed without writing its keys and values"
    return states


@contextmanager
def _passing_through(block: Block) -> Iterator[None]:
    """Let a block hand on its input. It stays in its place, for a network may choose a block's mask by its number."""

    def hand_on(hidden_states: Tensor, *_args: object, **_kwargs: object) -> Tensor:
        return hidden_states

    # The instance's own entry shadows the class's method; some loaders have put one there already.
    own = block.module.__dict__.pop("forward", None)
    block.module.__dict__["forward"] = hand_on
    try:
        yield
    finally:
        del block.module.__dict__["forward"]
        if own is not None:
            block.module.__dict__["forward"] = own


@contextmanager
def _input_of(block: Block, hidden: Float[Tensor, "row position hidden"]) -> Iterator[None]:
    """Give a block its input, whatever came before."""

    def replace(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ((hidden, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": hidden})

    handle = block.module.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _neurons_of(block: Block, values: Float[Tensor, "row position neuron"]) -> Iterator[None]:
    """Set a block's neurons at the first positions."""

    def replace(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rest = args[0][:, values.shape[1] :]
        return (torch.cat([values.to(rest.dtype), rest], dim=1), *args[1:])

    handle = block.dense.down_projection.register_forward_pre_hook(replace)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _reading_output(module: nn.Module, into: list[Tensor]) -> Iterator[None]:
    """Append the module's output to a list, once per pass."""

    def read(_: nn.Module, _args: object, output: Tensor | tuple[Tensor, ...]) -> None:
        into.append(output[0] if isinstance(output, tuple) else output)

    handle = module.register_forward_hook(read)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _reading_input(module: nn.Module, into: list[Tensor]) -> Iterator[None]:
    """Append the module's first input to a list, once per pass."""

    def read(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        into.append(args[0] if args else kwargs["hidden_states"])

    handle = module.register_forward_pre_hook(read, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
