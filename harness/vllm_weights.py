"""Weights of a running vLLM that follow those of the local network."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor, nn

from harness.fingerprint import tensor_hash

Load = Callable[[Mapping[str, Tensor]], None]
"""Puts tensors, by their names in the checkpoint, in the place of the server's."""


class FollowedWeights:
    """Loads into the server what has changed in the local network since the last time.

    The local network stays the authority: it holds the originals untouched while an edit is served, so that loading
    them again brings back every bit.
    """

    def __init__(self, network: nn.Module, load: Load) -> None:
        """The server holds the weights of `network` as they are now."""
        self._network, self._load = network, load
        self._held = self._originals = _hashes(network)

    def restarted(self) -> None:
        """The server holds the weights of the checkpoint again."""
        self._held = self._originals

    def follow(self) -> None:
        """Bring the server up to date. Every weight is read: an edit may leave no other trace.

        Raises:
            ValueError: If experts of a mixture changed.
        """
        now = _hashes(self._network)
        changed = [name for name, found in now.items() if found != self._held[name]]
        if changed:
            self._load(with_siblings(self._network, changed))
            self._held = now


def with_siblings(network: nn.Module, names: Iterable[str]) -> dict[str, Tensor]:
    """These parameters and all that share a parent layer with them: vLLM fuses some, and loads a fused layer whole.

    Raises:
        ValueError: If experts are among them, which a checkpoint keeps under other names than the network.
    """
    parents = {_parent(name) for name in names}
    found = {name: one.data for name, one in network.named_parameters() if _parent(name) in parents}
    experts = [name for name, tensor in found.items() if tensor.dim() > 2]
    if experts:
        raise ValueError(f"'{experts[0]}' holds experts of a mixture, which engine 'vllm' cannot exchange")
    return found


def _parent(name: str) -> str:
    """Of `layers.3.mlp.down_proj.weight`: `layers.3.mlp`."""
    return name.rsplit(".", 2)[0]


def _hashes(network: nn.Module) -> dict[str, str]:
    parameters = dict(network.named_parameters())
    with ThreadPoolExecutor() as pool:
        return dict(zip(parameters, pool.map(tensor_hash, parameters.values()), strict=True))
