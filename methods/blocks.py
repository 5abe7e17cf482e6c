"""Find the decoder blocks of a network by structure, so that no list of model families is needed."""

from collections.abc import Iterator
from itertools import chain

from torch import nn
from torch.nn.modules.conv import _ConvNd

from benchmarks.errors import UserError
from methods.base import Block, FeedForward


def find_blocks(network: nn.Module) -> tuple[Block, ...]:
    """The decoder blocks, first to last.

    They are the longest list of like modules that each hold a feed-forward part, dense or a mixture of experts, beside
    what mixes the tokens. A dense part is recognised by its activation function next to at least two linear layers, the
    last of which leads back to the residual stream; a mixture by the weights of its experts, which share one tensor.

    Raises:
        UserError: If there is no such list.
    """
    names = {parameter: name for name, parameter in network.named_parameters()}
    lists = [module for module in network.modules() if isinstance(module, nn.ModuleList) and len(module)]
    for modules in sorted(lists, key=len, reverse=True):
        found = [_block(index, module, names) for index, module in enumerate(modules)]
        blocks = tuple(block for block in found if block is not None)
        if len(blocks) == len(modules):
            return blocks
    raise UserError(
        f"No decoder blocks found in {type(network).__name__}: an attention beside a feed-forward part or a mixture of "
        "experts. Llama, Qwen2, Qwen3, Mistral, Gemma, Phi-3, GPT-2, Mixtral and Qwen3-MoE have them."
    )


def _block(index: int, module: nn.Module, names: dict[nn.Parameter, str]) -> Block | None:
    """The parts of one block, or None if it has not the structure."""
    children = list(module.children())
    # The feed-forward part comes last: what mixes the tokens may hold an activation too, as in state-space models.
    part = next((child for child in reversed(children) if _is_mixture(child) or _is_feed_forward(child)), None)
    if part is None:
        return None
    feed_forward = None if _is_mixture(part) else _feed_forward(part, names)
    width = _output_width(feed_forward.down_projection) if feed_forward else _norm_width(children)
    others = [child for child in children if child is not part and any(_linear_layers(child))]
    # Phi-3 names its output projection before the one that makes queries, keys and values: go by width, then by order.
    outputs = [layer for layer in _linear_layers(*others[:1]) if _output_width(layer) == width]
    return Block(index, module, outputs[-1], feed_forward) if outputs else None


def _feed_forward(module: nn.Module, names: dict[nn.Parameter, str]) -> FeedForward:
    down = list(_linear_layers(module))[-1]
    weight, axis = _weight(down), _input_axis(down)
    # A quantised layer packs its weight, so that the shape of the weight tells nothing.
    neurons = down.in_features if isinstance(down, nn.Linear) else weight.shape[axis]
    return FeedForward(down, names[weight], neurons=neurons, neuron_axis=axis)


def _is_feed_forward(module: nn.Module) -> bool:
    children = list(module.children())
    has_activation = any(not list(child.parameters()) and type(child) is not nn.Dropout for child in children)
    return has_activation and sum(_is_linear(child) for child in children) >= 2


def _is_mixture(module: nn.Module) -> bool:
    """Whether experts lie side by side along the first of three axes, as `transformers` keeps them from version 5 on.

    The filters of a convolution have three axes as well.
    """
    inner = (part for part in module.modules() if not isinstance(part, _ConvNd))
    return any(parameter.dim() == 3 for part in inner for parameter in part.parameters(recurse=False))


def _norm_width(children: list[nn.Module]) -> int:
    """Width of the residual stream: as many values as the block's normalisations scale; 0 where there are none."""
    norms = (child for child in children if not any(_linear_layers(child)))
    scales = chain.from_iterable(norm.parameters(recurse=False) for norm in norms)
    return next((scale.shape[0] for scale in scales if scale.dim() == 1), 0)


def _linear_layers(*modules: nn.Module) -> Iterator[nn.Module]:
    return (layer for module in modules for layer in module.modules() if _is_linear(layer))


def _weight(layer: nn.Module) -> nn.Parameter:
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    return weight


def _input_axis(layer: nn.Module) -> int:
    return 1 if isinstance(layer, nn.Linear) else 0


def _output_width(layer: nn.Module) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else _weight(layer).shape[1]


def _is_linear(module: nn.Module) -> bool:
    """A linear layer, or GPT-2's `Conv1D`, which is one with its weight transposed."""
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
