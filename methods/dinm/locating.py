"""Step A of DINM: the layer where a safe and an unsafe reply differ most, and the weights there that are edited."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from methods.base import Block, ChatModel
from methods.dinm.instances import Lesson
from methods.dinm.settings import DinmSettings
from methods.padding import padded
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

    The Frobenius norm of the difference over tokens and width.
    """
    alone = settings.location_input == "replies_alone"
    safe, unsafe = _alone(model, lesson) if alone else _after_prompt(model, lesson)
    apart: Tensor = (safe - unsafe).square().sum(dim=(0, 2)).sqrt()
    scale: Tensor = torch.cat([safe, unsafe]).norm(dim=2).mean(dim=0)
    return apart / scale if settings.distance == "normalised" else apart


def _after_prompt(model: ChatModel, lesson: Lesson) -> Float[Tensor, "reply token layer width"]:
    """Block outputs after the prompt, at the places where both replies have a token."""
    start = len(lesson.prompt)
    places = range(start, start + min(len(lesson.safe), len(lesson.unsafe)))
    return read_states(model, [(*lesson.prompt, *lesson.safe), (*lesson.prompt, *lesson.unsafe)], [places, places])


@torch.no_grad()
def _alone(model: ChatModel, lesson: Lesson) -> Float[Tensor, "reply token layer width"]:
    """Hidden states as the library tells them to the published code: of padding too, and normed after the last block.

    What a row is filled with decides by how much padding counts, so it is the end token, as there.
    """
    rows = [(lesson.prompt[0], *words) for words in (lesson.safe, lesson.unsafe)]
    ids, mask = padded(rows, model.device, "right", (0, *model.encode_reply(""))[-1])
    output = model.network(
        input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=1, output_hidden_states=True
    )
    return torch.stack([states[:, 1:].float().cpu() for states in output.hidden_states[1:]], dim=2)


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
