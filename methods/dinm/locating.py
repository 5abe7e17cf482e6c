"""Step A of DINM: the layer where a safe and an unsafe reply differ most, and the weights there that are edited."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from methods.base import Block, ChatModel
from methods.dinm.instances import Lesson
from methods.dinm.settings import DinmSettings
from methods.residual import read_states


class Region(NamedTuple):
    """The toxic region: what is edited of a block."""

    layers: Mapping[str, nn.Module]
    """Linear layers, by the name of their weight."""
    weights: Mapping[str, Tensor]
    """Their weights before the edit, in float32; to be read only."""
    input_axis: int
    """Axis of the weights that runs over a layer's inputs: 1, or 0 for GPT-2's transposed layers."""
    backward: float
    """Forward equivalents of a backward pass from the logits down to it."""


def distances(model: ChatModel, lesson: Lesson, settings: DinmSettings) -> Float[Tensor, " layer"]:
    """How far the safe and the unsafe reply lie apart in the residual stream after every block.

    The Frobenius norm of the difference over tokens and width. All layers are block outputs; the published code takes
    the final norm's output for the last one, which is on another scale.
    """
    if settings.location_input == "with_prompt":
        prompt, count = lesson.prompt, min(len(lesson.safe), len(lesson.unsafe))
    else:
        prompt, count = lesson.prompt[:1], max(len(lesson.safe), len(lesson.unsafe))
    places = range(len(prompt), len(prompt) + count)
    safe, unsafe = read_states(model, [(*prompt, *lesson.safe), (*prompt, *lesson.unsafe)], [places, places])
    apart: Tensor = (safe - unsafe).square().sum(dim=(0, 2)).sqrt()
    scale: Tensor = torch.cat([safe, unsafe]).norm(dim=2).mean(dim=0)
    return apart / scale if settings.distance == "normalised" else apart


def region(model: ChatModel, block: Block, scope: str) -> Region:
    """The down-projection of a block, or all its matrices."""
    layers: Mapping[str, nn.Module] = {block.dense.down_weight: block.dense.down_projection}
    if scope == "block":
        names = {parameter: name for name, parameter in model.network.named_parameters()}
        layers = {names[weight]: module for module in block.module.modules() for weight in _matrices(module)}
    weights = {name: _matrices(layer)[0].detach().float() for name, layer in layers.items()}
    return Region(layers, weights, block.dense.neuron_axis, 1 - block.index / len(model.blocks))


def _matrices(module: nn.Module) -> list[nn.Parameter]:
    """The weight of a linear layer; norms have a vector, other modules nothing of their own."""
    return [parameter for parameter in module.parameters(recurse=False) if parameter.dim() == 2]
