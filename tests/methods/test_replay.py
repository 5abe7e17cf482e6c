import pytest
import torch

from harness.transformers_model import TransformersModel
from methods.neurontune.replay import Replay, neuron_activations
from tests.methods.literal_attribution import clean_activations, reply_predictions
from tests.methods.tiny_models import FAMILIES, LAYERS, attacked_and_plain, tiny


def traces_in(model: TransformersModel) -> list[object]:
    """All that a replay could leave behind: modules in their order, hooks, shadowed methods."""
    modules = list(model.network.modules())
    return [(id(module), dict(module._forward_pre_hooks), dict(module._forward_hooks)) for module in modules] + [
        "forward" in module.__dict__ for module in modules
    ]


@pytest.mark.parametrize("start", ["first position", "inside the prompt", "last prompt token"])
@pytest.mark.parametrize("family", FAMILIES)
def test_clean_activations_give_the_clean_logits_from_any_block_on(family: str, start: str) -> None:
    model = tiny(family)
    pair, _ = attacked_and_plain(model)
    last = len(pair.prompt) - 1
    replay = Replay(model, pair, {"first position": 0, "inside the prompt": 7, "last prompt token": last}[start])
    with torch.no_grad():
        wanted = reply_predictions(model, pair)
        for first in range(LAYERS):
            rows = replay.clean.activations[first][None].expand(2, -1, -1)
            found = replay.logits(first, {first: rows})
            assert found.shape == (2, *wanted.shape)
            assert (found - wanted).abs().max() < 1e-4


def test_rows_with_other_activations_do_not_disturb_each_other() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    replay = Replay(model, pair, len(pair.prompt) - 1)
    clean = replay.clean.activations[1][None]
    with torch.no_grad():
        mixed = replay.logits(1, {1: torch.cat([clean, 0 * clean])})
        assert (mixed[0] - replay.clean.logits[0]).abs().max() < 1e-4
        assert (mixed[1] - replay.logits(1, {1: 0 * clean})[0]).abs().max() < 1e-4
        assert (mixed[1] - mixed[0]).abs().max() > 1e-3


def test_neurons_are_read_at_the_positions_asked_for() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    for ours, literal in zip(
        neuron_activations(model, pair, slice(3, 9)), clean_activations(model, pair, slice(3, 9)), strict=True
    ):
        assert ours.shape == (6, 48)
        assert (ours - literal).abs().max() < 1e-6


@pytest.mark.parametrize("family", FAMILIES)
def test_a_replay_leaves_the_network_as_it_was(family: str) -> None:
    model = tiny(family)
    pair, _ = attacked_and_plain(model)
    before = traces_in(model)
    replay = Replay(model, pair, 5)
    replay.logits(2, {2: replay.clean.activations[2][None]})
    replay.traced()
    neuron_activations(model, pair, slice(0, 2))
    assert traces_in(model) == before


def test_a_replay_leaves_the_network_as_it_was_after_an_exception_inside() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    replay = Replay(model, pair, 5)
    before = traces_in(model)
    with pytest.raises(RuntimeError):
        replay.logits(1, {1: torch.zeros(1, 4, 7)})
    assert traces_in(model) == before
    with torch.no_grad():
        again = replay.logits(1, {1: replay.clean.activations[1][None]})
    assert (again - replay.clean.logits).abs().max() < 1e-4


def test_a_method_that_a_loader_put_on_a_block_is_put_back() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    module = model.blocks[0].module
    own = module.forward
    module.__dict__["forward"] = own
    replay = Replay(model, pair, 5)
    replay.logits(1, {1: replay.clean.activations[1][None]})
    assert module.__dict__["forward"] is own
