"""Find the decoder blocks of a network by structure, so that no list of model families is needed."""

from collections.abc import Iterator

from torch import nn

from benchmarks.errors import UserError
from methods.base import Block, FeedForward


def find_blocks(network: nn.Module) -> tuple[Block, ...]:
    """The decoder blocks, first to last.

    They are the longest list of like modules that each hold a dense feed-forward part; that part is recognised by its
    activation function beside at least two linear layers, the last of which leads back to the residual stream.

    Raises:
        UserError: If there is no such list, as in mixtures of experts, whose neurons are not one layer's.
    """
    names = {parameter: name for name, parameter in network.named_parameters()}
    lists = [module for module in network.modules() if isinstance(module, nn.ModuleList) and len(module)]
    for modules in sorted(lists, key=len, reverse=True):
        found = [_block(index, module, names) for index, module in enumerate(modules)]
        blocks = tuple(block for block in found if block is not None)
        if len(blocks) == len(modules):
            return blocks
    raise UserError(
        f"No decoder blocks with a dense feed-forward part found in {type(network).__name__}. "
        "Methods that edit neurons need one; Llama, Qwen2, Mistral, Gemma, Phi-3 and GPT-2 have it."
    )


def _block(index: int, module: nn.Module, names: dict[nn.Parameter, str]) -> Block | None:
    """The parts of one block, or None if it has not the structure."""
    feed_forward = next((child for child in module.children() if _is_feed_forward(child)), None)
    if feed_forward is None:
        return None
    down = list(_linear_layers(feed_forward))[-1]
    others = [child for child in module.children() if child is not feed_forward and any(_linear_layers(child))]
    weight = _weight(down)
    axis = _input_axis(down)
    # Phi-3 names its output projection before the one that makes queries, keys and values: go by width, then by order.
    outputs = [layer for layer in _linear_layers(*others[:1]) if _output_width(layer) == weight.shape[1 - axis]]
    if not outputs:
        return None
    return Block(
        index=index,
        module=module,
        attention_output=outputs[-1],
        feed_forward=FeedForward(
            down_projection=down, down_weight=names[weight], neurons=weight.shape[axis], neuron_axis=axis
        ),
    )


def _is_feed_forward(module: nn.Module) -> bool:
    children = list(module.children())
    has_activation = any(not list(child.parameters()) and type(child) is not nn.Dropout for child in children)
    return has_activation and sum(_is_linear(child) for child in children) >= 2


def _linear_layers(*modules: nn.Module) -> Iterator[nn.Module]:
    return (layer for module in modules for layer in module.modules() if _is_linear(layer))


def _weight(layer: nn.Module) -> nn.Parameter:
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    return weight


def _input_axis(layer: nn.Module) -> int:
    return 1 if isinstance(layer, nn.Linear) else 0


def _output_width(layer: nn.Module) -> int:
    return _weight(layer).shape[1 - _input_axis(layer)]


def _is_linear(module: nn.Module) -> bool:
    """A linear layer, or GPT-2's `Conv1D`, which is one with its weight transposed."""
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
