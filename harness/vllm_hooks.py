"""Hooks on the local network that act inside vLLM for the time of one batch, proven to reach every token.

vLLM runs the tokens of many requests side by side in one row. For a hook each of them is a row of one token, and
`running` says of each whose it is and where it stands, so that methods need not know where their hooks act.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from benchmarks.base import Prompt
from methods.base import ForwardState, Phase
from methods.residual import hidden

_BEFORE, _AFTER = "_forward_pre_hooks", "_forward_hooks"


class HookError(Exception):
    """A hook that would not act, or did not act on every token: replies made so would pass for protected ones."""


class Row(NamedTuple):
    """What is asked of vLLM in one request."""

    prompt: Prompt
    ids: tuple[int, ...]
    prompt_length: int
    """Tokens of the prompt, which `ids` begin with."""


class Tokens(NamedTuple):
    """The tokens of one forward pass, side by side."""

    row: "Int[Tensor, ' token']"
    position: "Int[Tensor, ' token']"


class Runner:
    """What is read of vLLM's model runner: which request each token belongs to."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - vLLM is optional and not typed
        self._inner = inner

    @property
    def network(self) -> nn.Module:
        """The module that vLLM runs."""
        network = self._inner.get_model()
        assert isinstance(network, nn.Module)
        return network

    def tokens(self, positions: Int[Tensor, " token"], first: int) -> Tokens:
        """Of the pass that begins now; fillers at the end are left out.

        Args:
            positions: As given to the network.
            first: Number of the request of row 0.
        """
        requests = [int(name.rpartition("-")[0] or name) - first for name in self._inner.input_batch.req_ids]
        starts = torch.as_tensor(self._inner.query_start_loc.np[: len(requests) + 1]).long()
        row = torch.repeat_interleave(torch.tensor(requests), starts.diff())
        return Tokens(row, positions[: len(row)])


@dataclass(slots=True)
class Carrying:
    """One batch whose hooks act in vLLM."""

    rows: Sequence[Row]
    width: int
    """Most tokens that a row may come to have."""
    touched: "dict[str, Bool[Tensor, 'row position']]" = field(default_factory=dict)
    """By module, where its hooks have been."""
    now: Tokens | None = None

    def state(self, tokens: Tokens) -> ForwardState:
        """What hooks are told of the pass that begins now."""
        self.now = tokens
        lengths = torch.tensor([row.prompt_length for row in self.rows])[tokens.row]
        ends = (lengths - 1).to(tokens.position.device)
        is_reading = bool((tokens.position <= ends).any())
        prompts = tuple(self.rows[number].prompt for number in tokens.row.tolist())
        return ForwardState(Phase.PREFILL if is_reading else Phase.DECODE, prompts, tokens.position[:, None], ends)

    def mark(self, name: str) -> int:
        """Hooks of this module have been at all tokens of the pass; returns how many these are."""
        assert self.now is not None
        seen = self.touched.setdefault(name, torch.zeros(len(self.rows), self.width, dtype=torch.bool))
        seen[self.now.row, self.now.position.cpu()] = True
        return len(self.now.row)

    def check(self, names: Sequence[str], lengths: Sequence[int]) -> int:
        """How many tokens every hook touched.

        Args:
            names: Modules with hooks.
            lengths: Of each row, how many tokens went through the network.

        Raises:
            HookError: If a hook missed one.
        """
        wanted = torch.arange(self.width)[None, :] < torch.tensor(lengths)[:, None]
        for name in names:
            seen = self.touched.get(name, torch.zeros_like(wanted))
            missed = wanted & ~seen
            if missed.any():
                row, position = missed.nonzero()[0].tolist()
                raise HookError(
                    f"hooks on '{name}' reached {int((wanted & seen).sum())} of {int(wanted.sum())} tokens in vLLM; "
                    f"the first that they missed is token {position} of '{self.rows[row].prompt.id}'"
                )
        return int(wanted.sum())


def hooked_modules(network: nn.Module) -> list[str]:
    """Names of modules whose hooks must act in vLLM.

    Raises:
        HookError: If a hook is of a kind that cannot.
    """
    found = []
    for name, module in network.named_modules():
        for kind, hooks in vars(module).items():
            own = [key for key, hook in hooks.items() if not _is_transformers(hook)] if kind.endswith("_hooks") else []
            with_kwargs = vars(module).get(f"{kind}_with_kwargs", {})
            if own and (kind not in (_BEFORE, _AFTER) or any(key in with_kwargs for key in own)):
                raise HookError(f"a hook of {kind[1:]} on '{name}' cannot act in vLLM. Use --engine transformers")
            found += [name] * bool(own)
    return list(dict.fromkeys(found))


@contextmanager
def carried(
    local: nn.Module, runner: Runner, carrying: Carrying, first: int, tell: Callable[[ForwardState | None], None]
) -> Iterator[None]:
    """Let the hooks of `local` act in vLLM inside the block.

    Args:
        local: The network that methods know.
        runner: Of vLLM.
        carrying: Told which tokens were reached.
        first: Number of the first request.
        tell: Told what each pass is about, and None when all is over.

    Raises:
        HookError: If vLLM has no module for a hook.
    """
    served = dict(runner.network.named_modules())

    def begin(_: nn.Module, __: object, given: dict[str, Any]) -> None:
        tell(carrying.state(runner.tokens(given["positions"], first)))

    with ExitStack() as stack:
        stack.callback(tell, None)
        stack.callback(runner.network.register_forward_pre_hook(begin, with_kwargs=True).remove)
        for name in hooked_modules(local):
            if name not in served:
                raise HookError(f"vLLM has no '{name}', on which a hook is to act. Use --engine transformers")
            before, after = _carriers(name, local.get_submodule(name), carrying)
            stack.callback(served[name].register_forward_pre_hook(before).remove)
            stack.callback(served[name].register_forward_hook(after).remove)
        yield


def _carriers(
    name: str, local: nn.Module, carrying: Carrying
) -> tuple[Callable[[nn.Module, tuple[Any, ...]], object], Callable[[nn.Module, object, object], object]]:
    """Hooks for vLLM's module that run those of the local one."""

    def before(_: nn.Module, args: tuple[Any, ...]) -> object:
        count = carrying.mark(name)

        def change(stream: Tensor) -> Tensor:
            for hook in tuple(local._forward_pre_hooks.values()):
                result = hook(local, (stream,))
                stream = stream if result is None else hidden(result)
            return stream

        return _changed(args, count, change) if local._forward_pre_hooks else None

    def after(_: nn.Module, __: object, output: object) -> object:
        count = carrying.mark(name)

        def change(stream: Tensor) -> Tensor:
            for hook in tuple(local._forward_hooks.values()):
                result = hook(local, (), stream)
                stream = stream if result is None else hidden(result)
            return stream

        if not local._forward_hooks:
            return None
        changed = _changed(output if isinstance(output, tuple) else (output,), count, change)
        return changed if isinstance(output, tuple) or changed is None else changed[0]

    return before, after


def _changed(values: tuple[Any, ...], count: int, change: Callable[[Tensor], Tensor]) -> tuple[Any, ...] | None:
    """The values with what `change` makes of the stream; None where it changes nothing.

    The stream is the sum of all floating-point tensors: vLLM hands a block's output on in two parts.
    """
    places = [place for place, one in enumerate(values) if isinstance(one, Tensor) and one.is_floating_point()]
    parts = [values[place] for place in places]
    stream: Float[Tensor, "token width"] = sum(parts[1:], start=parts[0])
    old = stream[:count, None]
    new = change(old)
    if new is old:
        return None
    whole = torch.cat([new[:, 0].to(stream.dtype), stream[count:]])
    replaced = {place: torch.zeros_like(whole) for place in places} | {places[0]: whole}
    return tuple(replaced.get(place, one) for place, one in enumerate(values))


def _is_transformers(hook: object) -> bool:
    return str(getattr(hook, "__module__", "")).startswith("transformers.")
