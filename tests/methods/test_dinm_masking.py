from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from harness.transformers_model import TransformersModel
from methods.dinm.instances import Sequences, encode
from methods.dinm.locating import Region, region
from methods.dinm.masking import masks_before, top_share
from methods.dinm.settings import DinmSettings, resolved
from methods.metering import Meter
from tests.methods.literal_dinm import instance, literal_nll
from tests.methods.tiny_models import NEURONS, tiny

SETTINGS = resolved(DinmSettings(edit_fraction=0.25))
FAMILIES = ("llama", "gpt2")
SCOPES = ("down_projection", "block")


def refusals(model: TransformersModel) -> list[Sequences]:
    return [encode(model, instance(number), SETTINGS).refusal for number in range(2)]


def toxic(model: TransformersModel, scope: str = "down_projection") -> Region:
    return region(model, model.blocks[1], scope)


def masks(rule: str, family: str, scope: str = "down_projection", seed: int = 0) -> dict[str, Tensor]:
    model = tiny(family)
    settings = replace(SETTINGS, mask_rule=rule)
    return dict(masks_before(model, toxic(model, scope), refusals(model), settings, seed, Meter()))


def literal_gradient(model: TransformersModel, name: str) -> Tensor:
    parameter = model.network.get_parameter(name).requires_grad_()
    loss = sum((literal_nll(model.network, *refusal) for refusal in refusals(model)), torch.tensor(0.0)) / 2
    (slope,) = torch.autograd.grad(loss, parameter)
    parameter.requires_grad_(False)
    return slope


def assert_top(mask: Tensor, scores: Tensor, count: int) -> None:
    """That many are chosen, and no score that is left out is larger than one that is chosen."""
    assert int(mask.sum()) == count
    assert float(scores[~mask].max()) <= float(scores[mask].min()) * (1 + 1e-4)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_gradients_are_chosen_within_each_matrix(family: str, scope: str) -> None:
    model = tiny(family)
    found = masks("gradient_top", family, scope)
    assert set(found) == set(toxic(model, scope).weights)
    for name, mask in found.items():
        assert_top(mask, literal_gradient(model, name).abs(), round(mask.numel() / 4))


@pytest.mark.parametrize("family", FAMILIES)
def test_whole_neurons_are_chosen_by_the_norm_of_their_gradient(family: str) -> None:
    model = tiny(family)
    block = model.blocks[1].dense
    mask = masks("neuron_top", family)[block.down_weight]
    slope = literal_gradient(model, block.down_weight)
    by_neuron = mask if block.neuron_axis == 0 else mask.T
    slopes = slope if block.neuron_axis == 0 else slope.T
    assert all(bool(row.all()) or not bool(row.any()) for row in by_neuron)
    norms = torch.tensor([sum(float(value) ** 2 for value in row) ** 0.5 for row in slopes])
    assert_top(by_neuron[:, 0], norms, NEURONS // 4)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_wanda_chooses_by_weight_times_norm_of_the_input(family: str, scope: str) -> None:
    model = tiny(family)
    for name, mask in masks("wanda", family, scope).items():
        layer = model.network.get_submodule(name.removesuffix(".weight"))
        seen: list[Tensor] = []
        handle = layer.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0][0]))
        with torch.no_grad():
            for refusal in refusals(model):
                model.network(input_ids=torch.tensor([[*refusal.prompt, *refusal.reply]]))
        handle.remove()
        norm = torch.cat(seen).double().norm(dim=0)
        weight = model.network.get_parameter(name).double().abs()
        scores = weight * norm[:, None] if family == "gpt2" else weight * norm[None, :]
        assert_top(mask, scores, round(mask.numel() / 4))


def test_random_entries_are_as_many_and_follow_the_seed() -> None:
    (mask,), (again,), (other,) = (list(masks("random", "llama", seed=seed).values()) for seed in (0, 0, 1))
    assert int(mask.sum()) == round(mask.numel() / 4)
    assert torch.equal(mask, again)
    assert 0.02 < float((mask & other).float().mean()) < 0.12  # two draws of a quarter share a sixteenth


@pytest.mark.parametrize("rule", ["gradient_top", "random", "neuron_top", "wanda", "delta_top"])
def test_all_entries_may_change_without_any_mask(rule: str) -> None:
    model, meter = tiny(), Meter()
    settings = replace(SETTINGS, edit_fraction=1.0, mask_rule=rule)
    assert masks_before(model, toxic(model), refusals(model), settings, 0, meter) == {}
    assert meter.stages == {}


@pytest.mark.parametrize(("rule", "passes"), [
    ("gradient_top", 2 * (1 + 2 / 3)), ("neuron_top", 2 * (1 + 2 / 3)), ("wanda", 2), ("random", 0),
])  # fmt: skip
def test_the_cost_of_a_mask_is_counted(rule: str, passes: float) -> None:
    model, meter = tiny(), Meter()
    masks_before(model, toxic(model), refusals(model), replace(SETTINGS, mask_rule=rule), 0, meter)
    assert sum(meter.stages.values()) == pytest.approx(passes)


def test_looking_at_inputs_leaves_no_hook() -> None:
    model = tiny()
    masks_before(model, toxic(model, "block"), refusals(model), replace(SETTINGS, mask_rule="wanda"), 0, Meter())
    assert not any(module._forward_pre_hooks for module in model.network.modules())


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0.001, 1))
def test_the_top_share_is_the_head_of_the_sorted_scores(values: list[float], share: float) -> None:
    scores = torch.tensor([values], dtype=torch.float64)
    mask = top_share(scores, share)
    count = max(1, round(share * len(values)))
    assert sorted(scores[mask].tolist(), reverse=True) == sorted(values, reverse=True)[:count]
    assert bool(top_share(scores, 1.0).all())
