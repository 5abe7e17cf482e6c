# ruff: noqa: ARG002 - broken methods take what whole ones take and use none of it

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM, PreTrainedModel

from harness.conformance.families import FAMILIES, SMALL, tiny, tokenizer
from harness.finite import NotFiniteError
from harness.fitting import fit_and_save
from harness.integrity import IntegrityError, NetworkState, check_untouched, unchanged
from harness.transformers_model import TransformersModel
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fitted, GenerationSettings
from methods.default import Default, DefaultSettings, FittedDefault
from tests.methods.tiny_models import embedded_data

BLOCK = "model.layers.1"
WEIGHT = f"{BLOCK}.mlp.down_proj.weight"
Deed = Callable[[TransformersModel], object]


def weight(model: TransformersModel) -> nn.Parameter:
    return model.network.get_parameter(WEIGHT)


def block(model: TransformersModel) -> nn.Module:
    return model.network.get_submodule(BLOCK)


def hook_twice(model: TransformersModel) -> None:
    block(model).register_forward_hook(lambda *_: None)
    block(model).register_full_backward_pre_hook(lambda *_: None)


def hook_everywhere(model: TransformersModel) -> None:
    for module in model.network.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda *_: None)


def hook_a_weight(model: TransformersModel) -> None:
    weight(model).requires_grad_().register_post_accumulate_grad_hook(lambda _: None)
    weight(model).requires_grad_(False)


def edit_behind_the_back(model: TransformersModel) -> None:
    weight(model).data[0, 0] += 1e-6


def halve(model: TransformersModel) -> None:
    weight(model).data = weight(model).data.half()


def edit_what_no_checkpoint_holds(model: TransformersModel) -> None:
    model.network.get_buffer("model.rotary_emb.inv_freq").mul_(1.001)


def swap(model: TransformersModel) -> None:
    vars(block(model))["_modules"]["mlp"] = tiny(seed=1).network.get_submodule(f"{BLOCK}.mlp")


def forward_by_hand(model: TransformersModel) -> None:
    vars(block(model))["forward"] = block(model).forward


def hold_a_gradient(model: TransformersModel) -> None:
    weight(model).grad = torch.zeros_like(weight(model))


DEEDS: list[tuple[Deed, str]] = [
    (hook_twice, f"left 2 hooks on {BLOCK}"),
    (hook_everywhere, "left 22 hooks on lm_head and 21 more"),
    (hook_a_weight, f"left 1 hook on {WEIGHT}"),
    (edit_behind_the_back, f"changed {WEIGHT}"),
    (halve, f"changed {WEIGHT}"),
    (edit_what_no_checkpoint_holds, "changed model.rotary_emb.inv_freq"),
    (swap, f"replaced {BLOCK}.mlp and 4 more, changed {BLOCK}.mlp.down_proj.weight and 2 more"),
    (forward_by_hand, f"replaced {BLOCK}"),
    (lambda model: model.network.get_submodule(BLOCK).mlp.act_fn.train(), f"left in another mode {BLOCK}.mlp.act_fn"),
    (lambda model: weight(model).requires_grad_(), f"left another requires_grad on {WEIGHT}"),
    (hold_a_gradient, f"left a gradient on {WEIGHT}"),
]


@pytest.mark.parametrize(("deed", "told"), DEEDS, ids=[told for _, told in DEEDS])
def test_whatever_is_left_in_a_network_is_named(deed: Deed, told: str) -> None:
    model = tiny()
    before = NetworkState.of(model)
    deed(model)
    assert before.left_by(NetworkState.of(model)) == told
    with pytest.raises(IntegrityError) as raised:
        check_untouched(before, model, "x")
    assert str(raised.value) == f"'x' {told}."


def test_a_hook_on_all_modules_at_once_is_named() -> None:
    model = tiny()
    before = NetworkState.of(model)
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert before.left_by(NetworkState.of(model)) == "left 1 hook on all modules"
    finally:
        handle.remove()
    assert before.left_by(NetworkState.of(model)) == ""


def test_a_hook_that_is_taken_off_is_named() -> None:
    model = tiny()
    handle = block(model).register_forward_hook(lambda *_: None)
    before = NetworkState.of(model)
    handle.remove()
    assert before.left_by(NetworkState.of(model)) == f"took hooks off {BLOCK}"


@pytest.mark.parametrize("family", FAMILIES)
def test_using_a_model_leaves_nothing_behind(family: str) -> None:
    model = tiny(family)
    before = NetworkState.of(model)
    prompts = embedded_data().train[:2]
    model.generate(prompts, GenerationSettings(max_new_tokens=3))
    model.log_probabilities(prompts, [["yes"], ["no"]])
    ids = torch.tensor([model.encode(prompts[0]).ids])
    model.network(input_ids=ids, output_hidden_states=True)  # transformers keeps hooks of its own for this
    handle = block_of(model).register_forward_hook(lambda *_: None)
    handle.remove()
    assert before.left_by(NetworkState.of(model)) == ""


ROTARY = "model.rotary_emb"


def following(kind: str) -> TransformersModel:
    """A model whose rotary frequencies change beyond 16 tokens, as those of Phi-3.5 and Phi-4-mini do."""
    rope: dict[str, object] = {"rope_type": kind, "rope_theta": 10_000.0}
    given = SMALL.named(len(tokenizer())) | {"max_position_embeddings": 16}
    network: PreTrainedModel
    if kind == "longrope":
        rope |= {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "original_max_position_embeddings": 16}
        network = Phi3ForCausalLM(Phi3Config(original_max_position_embeddings=16, rope_parameters=rope, **given))
    else:
        network = LlamaForCausalLM(LlamaConfig(rope_parameters=rope | {"factor": 4.0}, **given))
    return TransformersModel(kind, network, tokenizer())


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
def test_frequencies_that_follow_the_length_of_the_last_text_are_no_change(kind: str) -> None:
    model = following(kind)
    before = NetworkState.of(model)
    fresh = model.network.get_buffer(f"{ROTARY}.inv_freq").clone()
    model.network(input_ids=torch.arange(3, 43)[None])
    assert not torch.equal(model.network.get_buffer(f"{ROTARY}.inv_freq"), fresh)
    assert before.left_by(NetworkState.of(model)) == ""
    model.network(input_ids=torch.arange(3, 6)[None])
    assert before.left_by(NetworkState.of(model)) == ""


@pytest.mark.parametrize(
    ("kind", "changed", "told"),
    [
        ("longrope", f"{ROTARY}.original_inv_freq", f"{ROTARY}.inv_freq and 1 more"),
        ("dynamic", f"{ROTARY}.original_inv_freq", f"{ROTARY}.original_inv_freq"),
        ("dynamic", f"{ROTARY}.inv_freq", f"{ROTARY}.inv_freq"),
        ("longrope", WEIGHT, WEIGHT),
    ],
)
def test_what_is_done_to_a_model_with_such_frequencies_is_named(kind: str, changed: str, told: str) -> None:
    model = following(kind)
    before = NetworkState.of(model)
    tensors = {**dict(model.network.named_parameters()), **dict(model.network.named_buffers(remove_duplicate=False))}
    tensors[changed].data.mul_(1.001)
    assert before.left_by(NetworkState.of(model)) == f"changed {told}"


def block_of(model: TransformersModel) -> nn.Module:
    return model.blocks[0].module


class Doing(Default):
    """Does something to the model while it is fitted."""

    deed: Deed

    def fit(self, model: ChatModel, data: object, seed: int, progress: object) -> Fitted:
        type(self).deed(model)  # type: ignore[arg-type]
        return FittedDefault()


def test_a_fit_that_leaves_something_behind_leaves_no_artefact(tmp_path: Path) -> None:
    kind = type("Leaky", (Doing,), {"name": "leaky", "deed": staticmethod(hook_twice)})
    with pytest.raises(IntegrityError) as told:
        fit_and_save(kind(DefaultSettings()), tiny(), embedded_data(), 0, tmp_path / "a", lambda *_: None)
    assert str(told.value) == f"'leaky' left 2 hooks on {BLOCK}."
    assert not list(tmp_path.iterdir())


class Counting(FittedDefault):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        self.asked.append(model.name)
        yield model

    def save(self, folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner" / "asked.json").write_text(json.dumps(self.asked))


def test_an_arm_that_would_be_saved_otherwise_after_answering_is_named(tmp_path: Path) -> None:
    scratch, arm = tmp_path / "scratch", Counting()
    with unchanged(arm, scratch, "x"):
        pass
    with pytest.raises(IntegrityError) as told, unchanged(arm, scratch, "x"), arm.applied(tiny()):
        pass
    assert str(told.value) == "'x' changed while it answered test prompts."
    assert not scratch.exists()


def test_an_exception_while_answering_is_not_covered_up(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), unchanged(Counting(), tmp_path / "scratch", "x"):
        raise ZeroDivisionError


class Endless(FittedDefault):
    """Its vector has a number that is none."""

    def __init__(self, number: float) -> None:
        self.number = number

    def save(self, folder: Path) -> None:
        Artefact("endless", Cost(), tensors={"v": torch.tensor([1.0, self.number])}).save(folder)


@pytest.mark.parametrize(
    ("number", "word"), [(float("nan"), "NaN"), (float("inf"), "infinity"), (-float("inf"), "infinity")]
)
def test_nan_and_infinity_in_tensors_are_named(number: float, word: str, tmp_path: Path) -> None:
    kind = type("Endless", (Default,), {"name": "endless", "fit": lambda *_: Endless(number)})
    with pytest.raises(NotFiniteError) as told:
        fit_and_save(kind(DefaultSettings()), tiny(), embedded_data(), 0, tmp_path / "a", lambda *_: None)
    assert str(told.value) == f"The fit of 'endless' gave {word} in tensor 'v' of tensors.safetensors."
    assert not (tmp_path / "a").exists()
