from dataclasses import replace

import pytest
import torch

from benchmarks.errors import UserError
from methods.dinm.averaging import edit
from methods.dinm.instances import Lesson, encode
from methods.dinm.locating import distances, region
from methods.dinm.settings import DinmSettings, resolved
from methods.metering import Meter
from tests.methods.literal_dinm import SILENT, instance, literal_distances
from tests.methods.tiny_models import FAMILIES, LAYERS, tiny

FIXED, FAITHFUL = resolved(DinmSettings()), resolved(DinmSettings(variant="faithful"))


def lesson_of(settings: DinmSettings = FIXED) -> Lesson:
    return encode(tiny(), instance(), settings)


@pytest.mark.parametrize("distance", ["raw", "normalised"])
def test_distances_after_the_prompt_are_those_of_the_formula(distance: str) -> None:
    found = distances(tiny(), lesson_of(), replace(FIXED, distance=distance))
    assert found.tolist() == pytest.approx(
        literal_distances(tiny(), lesson_of(), normalised=distance == "normalised"), rel=1e-5
    )
    assert len(found) == LAYERS


def test_replies_on_their_own_are_compared_as_the_published_code_does_it() -> None:
    model, lesson = tiny(), lesson_of(FAITHFUL)
    gap = len(lesson.safe) - len(lesson.unsafe)
    opening, end = lesson.prompt[0], model.tokenizer.eos_token_id
    assert gap != 0 and end != 0
    rows = torch.tensor([
        [opening, *lesson.safe, *[end] * -gap],
        [opening, *lesson.unsafe, *[end] * gap],
    ])  # fmt: skip
    mask = torch.ones_like(rows)
    mask[int(gap > 0), -abs(gap) :] = 0
    with torch.no_grad():
        states = model.network(input_ids=rows, attention_mask=mask, output_hidden_states=True).hidden_states[1:]
    expected = [float((layer[0] - layer[1]).norm()) for layer in states]
    assert distances(model, lesson, FAITHFUL).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_published_location_sees_the_last_block_through_the_final_norm() -> None:
    model, lesson = tiny(), lesson_of(FAITHFUL)
    before = distances(model, lesson, FAITHFUL)
    model.network.get_submodule("model.norm").weight.data.mul_(3)
    after = distances(model, lesson, FAITHFUL)
    assert after[:-1].tolist() == before[:-1].tolist()
    assert float(after[-1]) == pytest.approx(3 * float(before[-1]), rel=1e-5)


def test_equal_replies_have_no_distance() -> None:
    lesson = lesson_of()
    same = lesson._replace(unsafe=lesson.safe)
    assert distances(tiny(), same, FIXED).tolist() == [0.0] * LAYERS


@pytest.mark.parametrize("family", FAMILIES)
def test_the_region_is_the_down_projection(family: str) -> None:
    model = tiny(family)
    block = model.blocks[1]
    toxic = region(model, block, "down_projection")
    assert list(toxic.weights) == list(toxic.layers) == [block.dense.down_weight]
    assert torch.equal(toxic.weights[block.dense.down_weight], model.network.state_dict()[block.dense.down_weight])
    assert toxic.weights[block.dense.down_weight].shape[toxic.input_axis] == block.dense.neurons


MATRICES = {"llama": 7, "qwen2": 7, "mistral": 7, "gemma2": 7, "phi3": 4, "gpt2": 4}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_region_of_a_block_is_every_matrix_in_it(family: str) -> None:
    model = tiny(family)
    toxic = region(model, model.blocks[1], "block")
    inside = {
        name
        for name, parameter in model.network.named_parameters()
        if ".1." in name and parameter.dim() == 2 and "embed" not in name
    }
    assert set(toxic.weights) == set(toxic.layers) == inside
    assert len(inside) == MATRICES[family]


@pytest.mark.parametrize(("index", "share"), [(0, 1), (1, 2 / 3), (2, 1 / 3)])
def test_a_backward_pass_reaches_down_to_the_region_alone(index: int, share: float) -> None:
    model = tiny()
    assert region(model, model.blocks[index], "down_projection").backward == pytest.approx(share)


def test_replies_that_do_not_differ_locate_no_layer_and_are_told() -> None:
    lesson = lesson_of()
    for silent in (lesson._replace(unsafe=lesson.safe), lesson._replace(unsafe=())):
        with pytest.raises(UserError) as caught:
            edit(tiny(), [lesson, silent], FIXED, 0, Meter(), SILENT)
        assert str(caught.value) == (
            "'dinm' cannot locate a layer: an instance's safe and unsafe reply are equal, or one is empty."
        )
