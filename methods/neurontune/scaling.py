"""The artefact of NeuronTune: neurons with a factor each, as hooks, as folded weights, and as files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from methods.base import Block, ChatModel
from methods.neurontune.pinpointing import Neurons


class Scaling(NamedTuple):
    """Factors of two sets of neurons; a neuron in both gets the product."""

    safety: Neurons
    utility: Neurons
    safety_factors: Float[Tensor, " safety"]
    utility_factors: Float[Tensor, " utility"]

    def of_block(self, block: Block, device: torch.device) -> Float[Tensor, " neuron"] | None:
        """Factor of every neuron of a block, in float32, differentiable; None where all would be 1."""
        scale: Tensor | None = None
        for neurons, factors in ((self.safety, self.safety_factors), (self.utility, self.utility_factors)):
            here = neurons.block == block.index
            if bool(here.any()):
                ones = torch.ones(block.dense.neurons, device=device)
                chosen = ones.index_put((neurons.place[here].to(device),), factors[here.to(factors.device)].to(device))
                scale = chosen if scale is None else scale * chosen
        return scale

    def fold(self, weights: Mapping[str, Tensor], blocks: Sequence[Block]) -> dict[str, Tensor]:
        """Columns of the down-projections times their factors: the same network, with no hook.

        Computed in float32 and rounded once; in bfloat16 a factor within 0.4 % of 1 may vanish.
        """
        folded: dict[str, Tensor] = {}
        for block in blocks:
            weight = weights[block.dense.down_weight]
            scale = self.of_block(block, weight.device)
            if scale is not None:
                shaped = scale if block.dense.neuron_axis == 1 else scale[:, None]
                folded[block.dense.down_weight] = (weight.float() * shaped).to(weight.dtype)
        return folded


@contextmanager
def scaled(model: ChatModel, scaling: Scaling) -> Iterator[None]:
    """Multiply the neurons inside the block, at every position of prompt and reply; hooks go away at its end."""
    with ExitStack() as stack:
        for block in model.blocks:
            scale = scaling.of_block(block, model.device)
            if scale is not None:
                stack.enter_context(_multiplied(block.dense.down_projection, scale))
        yield


@contextmanager
def _multiplied(module: nn.Module, scale: Float[Tensor, " neuron"]) -> Iterator[None]:
    def multiply(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0] * scale.to(args[0].dtype), *args[1:])

    handle = module.register_forward_pre_hook(multiply)
    try:
        yield
    finally:
        handle.remove()
