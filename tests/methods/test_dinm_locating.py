from dataclasses import replace

import pytest
import torch

from methods.dinm.instances import Lesson, encode
from methods.dinm.locating import distances, region
from methods.dinm.settings import DinmSettings, resolved
from methods.residual import read_states
from tests.methods.literal_dinm import instance, literal_distances
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


def test_replies_on_their_own_are_compared_after_the_opening_token_with_their_padding() -> None:
    model, lesson = tiny(), lesson_of(FAITHFUL)
    longest = max(len(lesson.safe), len(lesson.unsafe))
    assert len(lesson.safe) != len(lesson.unsafe)
    expected = [0.0] * LAYERS
    rows = [[lesson.prompt[0], *words] for words in (lesson.safe, lesson.unsafe)]
    for token in range(1, longest + 1):
        # The padding of a row is token 0; what stands before a token is all that it depends on.
        states = [read_states(model, [row[: token + 1], [0] * (longest + 1)], [[token], [token]])[0, 0] for row in rows]
        for layer in range(LAYERS):
            expected[layer] += float(((states[0][layer] - states[1][layer]) ** 2).sum())
    assert distances(model, lesson, FAITHFUL).tolist() == pytest.approx([value**0.5 for value in expected], rel=1e-4)


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
