import pytest
import torch
from torch import Tensor

from benchmarks.base import Prompt
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from methods.neurontune.pinpointing import Neurons
from methods.neurontune.scaling import Scaling, scaled
from tests.methods.tiny_models import FAMILIES, LAYERS, NEURONS, attacked_and_plain, embedded_data, tiny


def neurons(*places: tuple[int, int]) -> Neurons:
    blocks, inside = zip(*places, strict=True)
    return Neurons(torch.tensor(blocks), torch.tensor(inside))


SAFETY = neurons((0, 3), (2, 47), (1, 5))
UTILITY = neurons((1, 6), (1, 5))
SCALING = Scaling(SAFETY, UTILITY, torch.tensor([2.0, 1.5, 3.0]), torch.tensor([0.0, 0.5]))


def literal_factors(scaling: Scaling) -> list[list[float]]:
    factors = [[1.0] * NEURONS for _ in range(LAYERS)]
    for chosen, given in ((scaling.safety, scaling.safety_factors), (scaling.utility, scaling.utility_factors)):
        for block, place, factor in zip(chosen.block.tolist(), chosen.place.tolist(), given.tolist(), strict=True):
            factors[block][place] *= factor
    return factors


@torch.no_grad()
def logits_of(model: TransformersModel) -> Tensor:
    pair, _ = attacked_and_plain(model)
    logits: Tensor = model.network(input_ids=torch.tensor([[*pair.prompt, *pair.reply]])).logits
    return logits


def state_of(model: TransformersModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def count_hooks(model: TransformersModel) -> int:
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.network.modules())


def assert_untouched(model: TransformersModel, before: dict[str, Tensor]) -> None:
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert count_hooks(model) == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_folded_weights_and_hooks_give_the_same_logits(family: str) -> None:
    model = tiny(family)
    default = logits_of(model)
    with scaled(model, SCALING):
        hooked = logits_of(model)
    model.network.load_state_dict(SCALING.fold(model.network.state_dict(), model.blocks), strict=False)
    assert (logits_of(model) - hooked).abs().max() <= 1e-5
    assert (hooked - default).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_folding_multiplies_the_columns_of_the_neurons_and_nothing_else(family: str) -> None:
    model = tiny(family)
    weights = state_of(model)
    folded = SCALING.fold(weights, model.blocks)
    assert sorted(folded) == sorted(block.dense.down_weight for block in model.blocks)
    for block, factors in zip(model.blocks, literal_factors(SCALING), strict=True):
        for place, factor in enumerate(factors):
            index = (slice(None), place) if block.dense.neuron_axis == 1 else (place, slice(None))
            assert torch.equal(folded[block.dense.down_weight][index], weights[block.dense.down_weight][index] * factor)


def test_a_block_without_chosen_neurons_is_not_folded() -> None:
    model = tiny()
    scaling = Scaling(neurons((1, 4)), UTILITY, torch.tensor([2.0]), torch.tensor([0.5, 0.5]))
    assert list(scaling.fold(model.network.state_dict(), model.blocks)) == [model.blocks[1].dense.down_weight]


def test_a_neuron_in_both_sets_gets_the_product() -> None:
    model = tiny()
    scale = SCALING.of_block(model.blocks[1], torch.device("cpu"))
    assert scale is not None
    assert scale.tolist() == literal_factors(SCALING)[1]
    assert (scale[5], scale[6]) == (1.5, 0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_factors_of_one_are_the_default_bit_for_bit(family: str) -> None:
    model = tiny(family)
    ones = Scaling(SAFETY, UTILITY, torch.ones(3), torch.ones(2))
    default = logits_of(model)
    with scaled(model, ones):
        assert torch.equal(logits_of(model), default)
    folded = ones.fold(model.network.state_dict(), model.blocks)
    assert all(torch.equal(tensor, model.network.state_dict()[name]) for name, tensor in folded.items())


def test_leaving_restores_every_weight_and_every_hook() -> None:
    model = tiny()
    before, default = state_of(model), logits_of(model)
    with scaled(model, SCALING):
        assert count_hooks(model) == LAYERS
    assert_untouched(model, before)
    assert torch.equal(logits_of(model), default)


def test_leaving_by_an_exception_restores_as_well() -> None:
    model = tiny()
    before = state_of(model)
    with pytest.raises(ZeroDivisionError), scaled(model, SCALING):
        raise ZeroDivisionError
    assert_untouched(model, before)


def test_neurons_are_scaled_at_prompt_and_at_reply_positions() -> None:
    model = tiny()
    prompt: Prompt = embedded_data().train[0]
    ratios: list[Tensor] = []
    block = model.blocks[0]

    def before(_: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
        ratios.append(args[0][..., 3].clone())

    def after(_: torch.nn.Module, args: tuple[Tensor, ...], __: Tensor) -> None:
        ratios[-1] = args[0][..., 3] / ratios[-1]

    handle = block.dense.down_projection.register_forward_pre_hook(before)
    with scaled(model, SCALING):
        last = block.dense.down_projection.register_forward_hook(after)
        model.generate([prompt], GenerationSettings(max_new_tokens=3))
        last.remove()
    handle.remove()
    assert [ratio.shape[1] for ratio in ratios] == [len(model.encode(prompt).ids), 1, 1]
    assert all(torch.allclose(ratio, torch.tensor(2.0)) for ratio in ratios)
