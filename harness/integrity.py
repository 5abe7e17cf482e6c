"""What no arm may do: leave something behind in the network, or learn while it answers test prompts."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.fingerprint import folder_hash, tensor_hash
from harness.storage import writing
from methods.base import ChatModel, Fitted

if TYPE_CHECKING:
    from torch import Tensor, nn

_EVERYWHERE = "all modules"
_FOLLOWING = ("longrope", "dynamic")
"""Kinds of rotary embedding whose frequencies follow the length of the last text, in a buffer of the network's own."""


class IntegrityError(Exception):
    """An arm broke a rule on which every number rests; what it made is worth nothing."""


class Hook(NamedTuple):
    """One hook; ids are never given twice in a process."""

    place: str
    kind: str
    id: int


@dataclass(frozen=True, slots=True)
class NetworkState:
    """All of a network that must be the same before and after an arm."""

    modules: Mapping[str, tuple[int, bool]]
    """By name: which object it is, and whether it has a `forward` of its own in place of its class's."""
    hooks: frozenset[Hook]
    tensors: Mapping[str, str]
    """Hashes of parameters and of all buffers, those that no checkpoint holds among them."""
    training: frozenset[str]
    """Modules in training mode."""
    wanting_gradients: frozenset[str]
    """Parameters."""
    holding_gradients: frozenset[str]
    """Parameters whose gradient was not thrown away: the next backward pass would add to it."""

    @classmethod
    def of(cls, model: ChatModel) -> "NetworkState":
        """As it is now. Every weight is read: an edit through `.data` leaves no other trace."""
        _settle(model.network)
        modules = dict(model.network.named_modules())
        parameters = dict(model.network.named_parameters())
        return cls(
            {name: (id(module), "forward" in vars(module)) for name, module in modules.items()},
            frozenset(_hooks(modules, parameters)),
            _hashes(parameters | dict(model.network.named_buffers(remove_duplicate=False))),
            frozenset(name for name, module in modules.items() if module.training),
            frozenset(name for name, parameter in parameters.items() if parameter.requires_grad),
            frozenset(name for name, parameter in parameters.items() if parameter.grad is not None),
        )

    def left_by(self, after: "NetworkState") -> str:
        """What is otherwise than it was, in words; nothing if all is as it was."""
        hooks = Counter(hook.place for hook in after.hooks - self.hooks)
        count = sum(hooks.values())
        told = [
            (f"left {count} hook{'s' * (count > 1)} on", hooks),
            ("took hooks off", {hook.place for hook in self.hooks - after.hooks}),
            ("replaced", _differing(self.modules, after.modules)),
            ("changed", _differing(self.tensors, after.tensors)),
            ("left in another mode", self.training ^ after.training),
            ("left another requires_grad on", self.wanting_gradients ^ after.wanting_gradients),
            ("left a gradient on", after.holding_gradients - self.holding_gradients),
        ]
        return ", ".join(f"{what} {_listed(names)}" for what, names in told if names)


def check_untouched(before: NetworkState, model: ChatModel, who: str) -> None:
    """Compare a network with what it was.

    Raises:
        IntegrityError: Saying what `who` left behind.
    """
    left = before.left_by(NetworkState.of(model))
    if left:
        raise IntegrityError(f"'{who}' {left}.")


@contextmanager
def unchanged(fitted: Fitted, scratch: Path, who: str) -> Iterator[None]:
    """Check that what runs inside changes nothing of what `fitted` would save; `scratch` is a folder to be used.

    Raises:
        IntegrityError: If it does.
        StorageError: If the disk refuses.
    """
    before = _saved(fitted, scratch)
    yield
    if _saved(fitted, scratch) != before:
        raise IntegrityError(f"'{who}' changed while it answered test prompts.")


def _saved(fitted: Fitted, scratch: Path) -> str:
    with writing(scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        fitted.save(scratch)
        found = folder_hash(scratch, without="")
        shutil.rmtree(scratch)
    return found


def _settle(network: "nn.Module") -> None:
    """Bring frequencies that follow the last text to those of the shortest one: that text is nobody's trace.

    The network does it by itself; what a method did to the buffers that it works from, or to fixed ones, stays.
    """
    import torch

    for module in filter(_is_transformers, network.modules()):
        kinds = getattr(module, "rope_type", "")
        by_layer = kinds if isinstance(kinds, Mapping) else {"": kinds}
        for layer in [layer for layer, kind in by_layer.items() if any(name in str(kind) for name in _FOLLOWING)]:
            place = next(module.buffers()).device
            positions = torch.zeros(1, 1, dtype=torch.long, device=place)
            # The class's own: a hook, or a `forward` that somebody has put before it, is to be found and not to be run.
            type(module).forward(module, torch.zeros(1, device=place), positions, *([layer] if layer else []))


def _hashes(tensors: "Mapping[str, Tensor]") -> dict[str, str]:
    """Of many gigabytes, too: hashing lets other threads run, so all cores share in it."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(tensors, pool.map(tensor_hash, tensors.values()), strict=True))


def _hooks(modules: "Mapping[str, nn.Module]", parameters: "Mapping[str, nn.Parameter]") -> Iterator[Hook]:
    """Every hook of every kind, but for those that `transformers` keeps on its modules to record hidden states."""
    from torch.nn.modules import module as of_all_modules

    holders = {_EVERYWHERE: vars(of_all_modules)}
    holders |= {name or "the network": vars(module) for name, module in modules.items()}
    kept = ("_backward_hooks", "_post_accumulate_grad_hooks")
    holders |= {name: {kind: getattr(one, kind) for kind in kept} for name, one in parameters.items()}
    for place, attributes in holders.items():
        for kind, hooks in attributes.items():
            if kind.endswith("_hooks") and isinstance(hooks, dict):
                yield from (Hook(place, kind, key) for key, hook in hooks.items() if not _is_transformers(hook))


def _is_transformers(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("transformers.")


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _listed(names: Iterable[str]) -> str:
    """The first by name, and how many more."""
    first, *rest = sorted(names)
    return (first or "the network") + (f" and {len(rest)} more" if rest else "")
