from dataclasses import replace

import pytest
import torch

from benchmarks.errors import UserError
from harness.conformance.families import FAMILIES
from harness.transformers_model import TransformersModel
from methods.scans.layers import REFUSAL_WORDS, by_depth, choose_layers, count_refusal_words, given_range
from methods.scans.settings import ScansSettings
from tests.methods.tiny_models import LAYERS, tiny

AUTO = ScansSettings(layers="auto")
NORMS = {
    "llama": "model.norm",
    "gemma2": "model.norm",
    "phi3": "model.norm",
    "gpt2": "transformer.ln_f",
    "mixtral": "model.norm",
}


def vectors(model: TransformersModel) -> torch.Tensor:
    width = int(model.network.get_input_embeddings().weight.shape[1])  # type: ignore[operator]
    return torch.nn.functional.normalize(torch.randn(LAYERS, width, generator=torch.Generator().manual_seed(3)), dim=1)


@torch.no_grad()
def unembed(model: TransformersModel, direction: torch.Tensor, *words: str) -> None:
    """Make a direction in the last hidden state stand for these words."""
    head = model.network.get_output_embeddings()  # type: ignore[operator]
    for word in words:
        head.weight[model.encode_reply(word)[0]] = 5 * direction


@pytest.mark.parametrize(("depth", "first", "last"), [
    (32, 10, 19), (28, 8, 16), (48, 15, 29), (6, 1, 2), (4, 1, 1), (3, 0, 0), (2, 0, 0), (1, 0, 0),
])  # fmt: skip
def test_layers_keep_their_place_in_the_depth(depth: int, first: int, last: int) -> None:
    assert by_depth(depth) == tuple(range(first, last + 1))


def test_a_range_holds_both_ends() -> None:
    assert given_range("10-19", 32) == tuple(range(10, 20))
    assert given_range("5-5", 6) == (5,)
    assert (given_range("depth", 6), given_range("auto", 6)) == (None, None)


@pytest.mark.parametrize("text", ["10-19", "4-6", "3-2", "3", "-3", "1-2-3", "middle", ""])
def test_a_range_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        given_range(text, 6)
    assert str(caught.value) == (
        f"Setting 'layers' of 'scans' is '{text}'; it must be 'depth', 'auto' or a range within 0-5."
    )


@torch.no_grad()
@pytest.mark.parametrize("family", NORMS)
def test_refusal_words_are_counted_among_the_nearest_tokens_by_the_letter(family: str) -> None:
    model = tiny(family)
    pointed = vectors(model)
    unembed(model, pointed[1], "sorry", "cannot", "harm")
    unembedded = model.network.get_output_embeddings()(model.network.get_submodule(NORMS[family])(pointed))  # type: ignore[operator]
    literal = []
    for logits in unembedded:
        nearest = sorted(range(len(logits)), key=lambda token, logits=logits: -float(logits[token]))[:50]
        words = [model.tokenizer.decode([token]).strip().lower() for token in nearest]
        literal.append(sum(word in REFUSAL_WORDS for word in words))
    assert count_refusal_words(model, pointed) == literal
    assert literal[1] >= 3


@pytest.mark.parametrize("family", FAMILIES)
def test_counting_leaves_no_hook(family: str) -> None:
    model = tiny(family)
    assert len(count_refusal_words(model, vectors(model))) == LAYERS
    assert not any(module._forward_hooks for module in model.network.modules())


def test_layers_that_point_at_refusal_words_are_chosen() -> None:
    model = tiny()
    pointed = vectors(model)
    pointed[2] = pointed[1]
    unembed(model, pointed[1], "sorry", "cannot")
    counts = count_refusal_words(model, pointed)
    assert counts[0] < 2 <= min(counts[1:])
    assert choose_layers(model, pointed, AUTO) == ((1, 2), "2 refusal words among the 50 nearest tokens")


def test_layers_go_by_depth_where_no_layer_points_at_refusal_words() -> None:
    model = tiny()
    found = choose_layers(model, vectors(model), replace(AUTO, refusal_words=50))
    assert found == (by_depth(LAYERS), "depth, since no layer points at 50 refusal words")


def test_layers_are_by_depth_or_as_given() -> None:
    model = tiny()
    assert choose_layers(model, vectors(model), ScansSettings()) == ((0,), "depth")
    assert choose_layers(model, vectors(model), ScansSettings(layers="1-2")) == ((1, 2), "given")
