"""What the `vllm` engine is made of, without vLLM: a small network that hands blocks on as vLLM does stands for it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.vllm_hooks import Carrying, HookError, Row, Runner, carried, hooked_modules
from harness.vllm_weights import FollowedWeights, with_siblings
from methods.base import ForwardState, Phase
from tests.engine.conftest import prompt
from tests.methods.tiny_models import tiny

FIRST, SECOND = prompt("How do I kill the weeds?"), prompt("And then?")
ROWS = (Row(FIRST, (1, 2, 3), 3), Row(SECOND, (4, 5), 2))


class Linear(nn.Module):
    """As vLLM's: gives its output and a bias that is left to others."""

    def forward(self, stream: Tensor) -> tuple[Tensor, None]:
        return 2 * stream, None


class Block(nn.Module):
    """As vLLM's: takes and gives the stream in two parts."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = Linear()

    def forward(self, _: Tensor, part: Tensor, rest: Tensor | None) -> tuple[Tensor, Tensor]:
        stream = part if rest is None else part + rest
        return self.projection(stream)[0], stream


class Served(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block(), Block()])

    def forward(self, stream: Tensor, positions: Tensor) -> Tensor:
        part, rest = stream, None
        for block in self.layers:
            part, rest = block(positions, part, rest)
        assert rest is not None
        return part + rest


class Local(nn.Module):
    """Modules of the same names, to hang hooks on."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleDict({"projection": nn.Identity()}) for _ in range(2)])
        self.only_here = nn.Identity()


@dataclass
class FakeRunner:
    served: Served
    requests: list[str]
    starts: list[int]

    @property
    def input_batch(self) -> SimpleNamespace:
        return SimpleNamespace(req_ids=self.requests)

    @property
    def query_start_loc(self) -> SimpleNamespace:
        return SimpleNamespace(np=np.array([*self.starts, 0, 0], dtype=np.int32))

    def get_model(self) -> nn.Module:
        return self.served


class Bench:
    """Passes through the served network with the hooks of the local one."""

    def __init__(self) -> None:
        self.local, self.fake = Local(), FakeRunner(Served(), [], [])
        self.carrying = Carrying(ROWS, width=8)
        self.states: list[ForwardState | None] = []

    @contextmanager
    def carried(self) -> Iterator[None]:
        with carried(self.local, Runner(self.fake), self.carrying, 7, self.states.append):
            yield

    def step(self, requests: list[str], starts: list[int], positions: list[int], fillers: int = 0) -> Tensor:
        self.fake.requests, self.fake.starts = requests, starts
        whole = torch.tensor(positions + [0] * fillers)
        result: Tensor = self.fake.served(torch.ones(len(whole), 1), positions=whole)
        return result[:, 0]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def adding(amount: float) -> Callable[..., Tensor]:
    return lambda _, __, output: output + amount


def test_a_hook_on_a_block_sees_the_whole_stream_and_changes_it(bench: Bench) -> None:
    seen: list[Tensor] = []

    def hook(_: nn.Module, __: object, output: Tensor) -> Tensor:
        seen.append(output)
        return output + 1

    bench.local.layers[0].register_forward_hook(hook)
    with bench.carried():
        changed = bench.step(["7-a", "8-b"], [0, 3, 5], [0, 1, 2, 0, 1])
    plain = bench.step(["7-a", "8-b"], [0, 3, 5], [0, 1, 2, 0, 1])
    assert plain.tolist() == [9.0] * 5  # each block triples
    assert seen[0].tolist() == [[[3.0]]] * 5  # a row of one token for each
    assert changed.tolist() == [12.0] * 5


def test_hooks_before_and_after_a_linear_layer_act_on_its_input_and_output(bench: Bench) -> None:
    layer = cast(Any, bench.local.layers[1])["projection"]
    layer.register_forward_pre_hook(lambda _, args: (args[0] * 10,))
    layer.register_forward_hook(adding(0.5))
    with bench.carried():
        assert bench.step(["7-a"], [0, 1], [0]).tolist() == [3 + 2 * 30 + 0.5]


def test_a_hook_before_the_first_block_changes_what_goes_in(bench: Bench) -> None:
    bench.local.layers[0].register_forward_pre_hook(lambda _, args: (args[0] - 1, *args[1:]))
    with bench.carried():
        assert bench.step(["7-a"], [0, 1], [0]).tolist() == [0.0]


def test_a_hook_that_only_looks_changes_nothing(bench: Bench) -> None:
    bench.local.layers[0].register_forward_hook(lambda *_: None)
    with bench.carried():
        assert bench.step(["7-a"], [0, 1], [0]).tolist() == [9.0]


def test_every_token_is_told_by_its_prompt_and_place_whatever_the_order_of_requests(bench: Bench) -> None:
    bench.local.layers[0].register_forward_hook(adding(0))
    with bench.carried():
        bench.step(["8-b", "7-a"], [0, 1, 3], [2, 0, 1], fillers=2)
    reading, end = bench.states
    assert reading is not None
    assert end is None
    assert reading.phase is Phase.PREFILL
    assert [one.id for one in reading.prompts] == [SECOND.id, FIRST.id, FIRST.id]
    assert reading.positions.tolist() == [[2], [0], [1]]
    assert reading.prompt_end.tolist() == [1, 2, 2]
    assert reading.is_after_prompt.tolist() == [[True], [False], [False]]


def test_a_pass_that_only_writes_is_one_of_decoding(bench: Bench) -> None:
    bench.local.layers[0].register_forward_hook(adding(0))
    with bench.carried():
        bench.step(["7-a", "8-b"], [0, 1, 2], [3, 2])
    assert bench.states[0] is not None
    assert bench.states[0].phase is Phase.DECODE


def test_fillers_at_the_end_of_a_pass_are_left_as_they_are(bench: Bench) -> None:
    bench.local.layers[1].register_forward_hook(adding(1))
    with bench.carried():
        assert bench.step(["7-a"], [0, 1], [0], fillers=1).tolist() == [10.0, 9.0]


def test_hooks_are_counted_on_every_token_and_all_are_taken_off(bench: Bench) -> None:
    bench.local.layers[0].register_forward_hook(adding(1))
    with bench.carried():
        bench.step(["7-a"], [0, 2], [0, 1])  # a prompt may be read in parts
        bench.step(["7-a", "8-b"], [0, 1, 3], [2, 0, 1])
    assert bench.carrying.check(["layers.0"], [3, 2]) == 5
    assert hooked_modules(bench.fake.served) == []


def test_a_token_that_a_hook_missed_is_told_loudly(bench: Bench) -> None:
    bench.local.layers[0].register_forward_hook(adding(1))
    with bench.carried():
        bench.step(["7-a", "8-b"], [0, 3, 4], [0, 1, 2, 1])  # as after a cached prefix
    message = (
        f"hooks on 'layers.0' reached 4 of 5 tokens in vLLM; the first that they missed is token 0 of '{SECOND.id}'"
    )
    with pytest.raises(HookError) as stopped:
        bench.carrying.check(["layers.0"], [3, 2])
    assert str(stopped.value) == message


def test_a_hook_on_what_vllm_has_not_is_refused_before_any_pass(bench: Bench) -> None:
    bench.local.only_here.register_forward_hook(adding(1))
    with pytest.raises(HookError) as stopped:
        ExitStack().enter_context(bench.carried())
    assert str(stopped.value) == "vLLM has no 'only_here', on which a hook is to act. Use --engine transformers"


def test_a_hook_of_a_kind_that_vllm_never_calls_is_refused() -> None:
    local = Local()
    local.layers[0].register_full_backward_hook(lambda *_: None)
    with pytest.raises(HookError) as stopped:
        hooked_modules(local)
    assert str(stopped.value) == "a hook of backward_hooks on 'layers.0' cannot act in vLLM. Use --engine transformers"


def test_a_hook_that_asks_for_keywords_is_refused() -> None:
    local = Local()
    local.layers[0].register_forward_hook(lambda *_: None, with_kwargs=True)
    with pytest.raises(HookError) as stopped:
        hooked_modules(local)
    assert str(stopped.value) == "a hook of forward_hooks on 'layers.0' cannot act in vLLM. Use --engine transformers"


def test_weights_follow_every_edit_and_come_back_to_the_bit() -> None:
    network = tiny().network
    server = {name: one.clone() for name, one in network.named_parameters()}
    loads: list[list[str]] = []

    def load(tensors: Mapping[str, Tensor]) -> None:
        loads.append(sorted(tensors))
        server.update({name: one.clone() for name, one in tensors.items()})

    followed, edited = FollowedWeights(network, load), network.get_parameter("model.layers.1.mlp.down_proj.weight")
    before = edited.data.clone()
    followed.follow()
    edited.data.mul_(2)  # leaves no trace but in the numbers
    followed.follow()
    assert torch.equal(server["model.layers.1.mlp.down_proj.weight"], before * 2)
    edited.data = before
    followed.follow()
    followed.follow()
    fused = [f"model.layers.1.mlp.{part}_proj.weight" for part in ("down", "gate", "up")]
    assert loads == [fused, fused]
    assert all(torch.equal(server[name], one) for name, one in network.named_parameters())


def test_a_server_that_was_started_anew_is_given_what_differs_from_the_checkpoint() -> None:
    network = tiny().network
    loads: list[int] = []
    followed = FollowedWeights(network, lambda tensors: loads.append(len(tensors)))
    network.get_parameter("model.layers.0.self_attn.o_proj.weight").data.add_(1)
    followed.follow()
    followed.restarted()
    followed.follow()
    assert loads == [4, 4]


def test_experts_cannot_be_exchanged() -> None:
    network = tiny("mixtral").network
    name = next(name for name, one in network.named_parameters() if one.dim() == 3)
    with pytest.raises(ValueError, match="holds experts of a mixture, which engine 'vllm' cannot exchange"):
        with_siblings(network, [name])
