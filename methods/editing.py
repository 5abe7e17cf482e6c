"""Put edited weights into a network for a while, and the very same tensors back afterwards."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def edited(network: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Weights `tensors` instead of the parameters of these names inside the block.

    The originals are set aside, not copied or recomputed, so leaving restores every bit, also after an exception.

    Raises:
        KeyError: If the network has no parameter of a name.
        ValueError: If a tensor has not the shape of its parameter.
    """
    parameters = dict(network.named_parameters())
    chosen = {name: parameters[name] for name in tensors}
    for name, parameter in chosen.items():
        if parameter.shape != tensors[name].shape:
            raise ValueError(f"{name} has shape {tuple(parameter.shape)}, its edit {tuple(tensors[name].shape)}")
    originals = {name: parameter.data for name, parameter in chosen.items()}
    try:
        for name, parameter in chosen.items():
            parameter.data = tensors[name].to(parameter.device, parameter.dtype)
        yield
    finally:
        for name, parameter in chosen.items():
            parameter.data = originals[name]
