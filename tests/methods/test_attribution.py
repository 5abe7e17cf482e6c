from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import nn
from transformers import LlamaForCausalLM

from harness.transformers_model import TransformersModel
from methods.neurontune.attribution import (
    attribute,
    contrast_case,
    gradient_times_activation,
    objective,
    zero_case,
)
from methods.neurontune.settings import NeuronTuneSettings
from methods.passes import Passes
from tests.methods.literal_attribution import (
    clean_activations,
    literal_attribution,
    literal_objective,
    logits_with,
    reply_predictions,
    span,
    span_length,
)
from tests.methods.tiny_models import FAMILIES, LAYERS, NEURONS, attacked_and_plain, tiny

POSITIONS = ("last_prompt_token", "question_span", "response_all")
OBJECTIVES = ("mean_log_probability", "first_token_probability", "geometric_mean_probability")
SHORT = "I cannot help with this request."
COARSE = NeuronTuneSettings(path_steps=2, path_refinements=0)
"""As few points as the slow oracle likes."""


class Compared(NamedTuple):
    ours: torch.Tensor
    literal: torch.Tensor


def scores_of(family: str, settings: NeuronTuneSettings, response: str | None = None) -> Compared:
    model = tiny(family)
    attacked, plain = attacked_and_plain(model, response)
    ours = attribute(model, contrast_case(model, attacked, plain, settings.position), settings)
    return Compared(ours.scores, literal_attribution(model, attacked, plain, settings).scores)


def assert_alike(ours: torch.Tensor, literal: torch.Tensor, tolerance: float = 1e-3) -> None:
    largest = literal.abs().max()
    assert largest > 0
    assert (ours - literal).abs().max() <= tolerance * largest


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_one_hook_per_layer_and_point(family: str, position: str) -> None:
    ours, literal = scores_of(family, replace(COARSE, position=position))
    assert ours.shape == (LAYERS, NEURONS)
    assert_alike(ours, literal)


def test_positions_differ_in_how_many_tokens_move() -> None:
    attacked, plain = attacked_and_plain(tiny())
    lengths = [span_length(attacked, plain, position) for position in POSITIONS]
    assert lengths[0] == 1 < lengths[1] < len(plain.prompt)
    assert lengths[2] == len(attacked.reply) > 1


@pytest.mark.parametrize("settings", [
    replace(COARSE, path_rule="right"),
    replace(COARSE, ircan_alpha_weight=True),
    replace(COARSE, ircan_alpha_weight=True, path_rule="right"),
])  # fmt: skip
def test_the_rule_and_the_weight_of_path_points_follow_their_formulas(settings: NeuronTuneSettings) -> None:
    ours, literal = scores_of("llama", settings)
    assert_alike(ours, literal)


def test_the_right_rule_gives_other_scores_than_the_midpoint_rule() -> None:
    right, _ = scores_of("llama", replace(COARSE, path_rule="right"))
    midpoint, _ = scores_of("llama", COARSE)
    assert (right - midpoint).abs().max() > 0.01 * midpoint.abs().max()


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_each_objective_gives_the_scores_of_its_formula(kind: str) -> None:
    ours, literal = scores_of("llama", replace(COARSE, objective=kind), SHORT)
    assert_alike(ours, literal)


def test_the_product_of_probabilities_gives_its_formula_up_to_one_factor() -> None:
    ours, literal = scores_of("llama", replace(COARSE, objective="product_probability"), SHORT)
    largest = int(literal.abs().argmax())
    factor = ours.double().flatten()[largest] / literal.flatten()[largest]
    assert factor > 0
    assert_alike(ours / factor, literal)


def test_the_product_of_sixty_probabilities_neither_underflows_nor_overflows() -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model, " ".join(["I cannot help with this request today."] * 8))
    assert len(attacked.reply) >= 60
    settings = NeuronTuneSettings(objective="product_probability")
    found = attribute(model, contrast_case(model, attacked, plain, settings.position), settings)
    assert bool(torch.isfinite(found.scores).all())
    assert bool((found.scores.abs().amax(dim=1) > 0).all())
    assert found.completeness_error < 0.02


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_the_objective_of_a_row_is_its_formula(kind: str) -> None:
    model = tiny()
    attacked, _ = attacked_and_plain(model)
    logits = reply_predictions(model, attacked)
    ours = objective(logits[None], torch.tensor(attacked.reply), kind)
    assert ours.shape == (1,)
    assert float(ours) == pytest.approx(float(literal_objective(logits, attacked.reply, kind)), rel=1e-4)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_of_a_layer_sum_to_the_change_of_the_objective(family: str, position: str) -> None:
    model = tiny(family)
    attacked, plain = attacked_and_plain(model)
    settings = NeuronTuneSettings(position=position)
    found = attribute(model, contrast_case(model, attacked, plain, position), settings)
    assert found.change.abs().sum() > 1e-3
    assert found.completeness_error < 0.02
    assert found.scores.sum(dim=1).tolist() == pytest.approx(
        found.change.tolist(), abs=0.02 * float(found.change.abs().sum())
    )


def test_from_zero_the_change_is_that_of_switching_the_layer_off() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    settings = NeuronTuneSettings()
    case = zero_case(pair, settings.position)
    assert_alike(attribute(model, case, COARSE).scores, literal_attribution(model, pair, None, COARSE).scores)
    found = attribute(model, case, settings)
    clean = literal_objective(reply_predictions(model, pair), pair.reply, settings.objective)
    for layer, (row, change) in enumerate(zip(found.scores, found.change, strict=True)):
        off = logits_with(model, pair, layer, case.start, torch.zeros(1, NEURONS))
        wanted = float(clean - literal_objective(off, pair.reply, settings.objective))
        assert float(change) == pytest.approx(wanted, abs=1e-5)
        assert float(row.sum()) == pytest.approx(wanted, abs=0.02 * float(found.change.abs().sum()))


def test_only_layers_that_miss_completeness_are_refined_and_then_they_are_complete() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    case = zero_case(pair, "last_prompt_token")
    once = attribute(model, case, replace(COARSE, path_steps=1))
    errors = (once.scores.sum(dim=1) - once.change).abs()
    # A tolerance between the layers' errors, so that some are refined and others are not.
    tolerated = float(errors.sort().values[1]) * 0.99
    share = tolerated / float(once.change.abs().sum()) * LAYERS
    found = attribute(model, case, replace(COARSE, path_steps=1, path_refinements=5, completeness_tolerance=share))
    assert {bool(error > tolerated) for error in errors} == {True, False}
    for layer, error in enumerate(errors):
        if error <= tolerated:
            assert torch.equal(found.scores[layer], once.scores[layer])
        else:
            assert abs(float(found.scores[layer].sum() - found.change[layer])) <= tolerated
    assert found.forward_equivalents > once.forward_equivalents


def test_a_bent_path_is_refined_to_the_scores_of_many_points() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    case = zero_case(pair, "last_prompt_token")
    refined = attribute(model, case, replace(COARSE, path_refinements=4, completeness_tolerance=1e-3))
    assert_alike(refined.scores, attribute(model, case, replace(COARSE, path_steps=400)).scores, tolerance=2e-2)
    assert refined.completeness_error < 1e-3


def test_nothing_is_refined_where_completeness_does_not_hold() -> None:
    model = tiny()
    pair, _ = attacked_and_plain(model)
    case = zero_case(pair, "last_prompt_token")
    settings = replace(COARSE, ircan_alpha_weight=True, completeness_tolerance=0.0)
    plain = attribute(model, case, settings)
    refined = attribute(model, case, replace(settings, path_refinements=3))
    assert torch.equal(refined.scores, plain.scores)
    assert refined.forward_equivalents == plain.forward_equivalents


def test_all_layers_together_are_complete() -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model)
    settings = NeuronTuneSettings(path="all_layers_joint", path_steps=20)
    found = attribute(model, contrast_case(model, attacked, plain, settings.position), settings)
    assert float(found.scores.sum()) == pytest.approx(float(found.change.sum()), rel=0.02)
    layerwise = attribute(model, contrast_case(model, attacked, plain, settings.position), NeuronTuneSettings())
    assert (found.scores - layerwise.scores).abs().max() > 1e-6


@pytest.mark.parametrize("tokens_per_pass", [1, 300])
def test_how_many_tokens_go_into_a_pass_changes_nothing(tokens_per_pass: int) -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model)
    case = contrast_case(model, attacked, plain, "question_span")
    for kind in ("mean_log_probability", "product_probability"):
        settings = NeuronTuneSettings(objective=kind, path_refinements=0)
        whole = attribute(model, case, settings)
        split = attribute(model, case, replace(settings, tokens_per_pass=tokens_per_pass))
        assert_alike(split.scores, whole.scores, tolerance=1e-4)
        assert split.forward_equivalents == pytest.approx(whole.forward_equivalents)


@pytest.mark.parametrize("position", POSITIONS)
def test_without_an_attack_every_score_is_zero(position: str) -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model)
    settings = replace(COARSE, position=position)
    found = attribute(model, contrast_case(model, plain, plain, position), settings)
    contrasted = attribute(model, contrast_case(model, attacked, plain, position), settings)
    # The baseline comes from a pass without a cache, the end from one with it: they differ by rounding.
    assert found.scores.abs().max() < 1e-5 * contrasted.scores.abs().max()
    assert found.change.abs().max() < 1e-5


def test_one_neuron_at_a_time_agrees_with_its_layer_where_neurons_act_linearly() -> None:
    model = tiny()
    # So small a push on the residual stream acts linearly, hence every neuron for itself.
    for block in model.blocks:
        block.dense.down_projection.weight.data.mul_(1e-4)
    attacked, plain = attacked_and_plain(model, SHORT)
    case = contrast_case(model, attacked, plain, "last_prompt_token")
    together = attribute(model, case, NeuronTuneSettings(path_steps=2))
    alone = attribute(model, case, NeuronTuneSettings(path_steps=2, path="single_neuron"))
    assert_alike(alone.scores, together.scores, tolerance=0.01)


def test_one_neuron_at_a_time_leaves_the_others_at_their_attacked_value() -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model, SHORT)
    case = contrast_case(model, attacked, plain, "last_prompt_token")
    found = attribute(model, case, NeuronTuneSettings(path="single_neuron", path_steps=20))
    where = span(attacked, 1, "last_prompt_token")
    end = clean_activations(model, attacked, where)
    begin = clean_activations(model, plain, span(plain, 1, "last_prompt_token"))
    neuron = int(found.scores[1].abs().argmax())
    mixed = end[1].clone()
    mixed[:, neuron] = begin[1][:, neuron]
    high = literal_objective(reply_predictions(model, attacked), attacked.reply, "mean_log_probability")
    low = literal_objective(logits_with(model, attacked, 1, where.start, mixed), attacked.reply, "mean_log_probability")
    assert float(found.scores[1, neuron]) == pytest.approx(float(high - low), rel=0.02)


@pytest.mark.parametrize("position", ["last_prompt_token", "response_all"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_gradient_times_activation_is_one_gradient_in_the_untouched_network(family: str, position: str) -> None:
    model = tiny(family)
    pair, _ = attacked_and_plain(model)
    settings = NeuronTuneSettings(position=position)
    found = gradient_times_activation(model, zero_case(pair, position), settings)
    where = span(pair, span_length(pair, None, position), position)
    seen: list[torch.Tensor] = []

    def watch(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        seen.append(args[0].clone().requires_grad_())
        return (seen[-1],)

    handles = [block.dense.down_projection.register_forward_pre_hook(watch) for block in model.blocks]
    value = literal_objective(reply_predictions(model, pair), pair.reply, settings.objective)
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(value, seen)
    literal = [(one * slope)[0, where].sum(dim=0) for one, slope in zip(seen, gradients, strict=True)]
    assert_alike(found.scores, torch.stack(literal).detach())
    assert found.change.tolist() == pytest.approx(found.scores.sum(dim=1).tolist())


@pytest.mark.parametrize("position", POSITIONS)
def test_forward_equivalents_count_whole_sequences_through_all_blocks(position: str) -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model)
    settings = replace(COARSE, position=position, path_steps=5, tokens_per_pass=40)
    found = attribute(model, contrast_case(model, attacked, plain, position), settings)
    length = len(attacked.prompt) + len(attacked.reply) - 1
    moving = span_length(attacked, plain, position)
    replayed = length - span(attacked, moving, position).start
    # Two clean passes; per layer five points and the beginning, forward and backward, in tokens times parameters: the
    # layer itself on the moving positions, those above it on all that are replayed, the output layer on the reply; the
    # last layer's later positions keep what they predict where they do not move.
    reply, block, words = len(attacked.reply), *sizes(model)
    whole = length * LAYERS * block + reply * words
    path = 0.0
    for layer in range(LAYERS):
        above = LAYERS - layer - 1
        predictions = reply if above or moving == replayed else 1
        path += 2 * (5 + 1) * ((moving + replayed * above) * block + predictions * words) / whole
    assert found.forward_equivalents == pytest.approx(2 + path)


def sizes(model: TransformersModel) -> tuple[int, int]:
    """Parameters of one block, and of the output layer."""
    network = model.network
    assert isinstance(network, LlamaForCausalLM)
    block = sum(parameter.numel() for parameter in network.model.layers[0].parameters())
    return block, network.lm_head.weight.numel()


@pytest.mark.parametrize("position", POSITIONS)
def test_a_pass_that_memory_has_no_room_for_is_cut_and_the_scores_are_the_same(position: str) -> None:
    model = tiny()
    attacked, plain = attacked_and_plain(model)
    settings = NeuronTuneSettings(position=position, path_refinements=1, completeness_tolerance=0.0)
    case = contrast_case(model, attacked, plain, position)
    wanted = attribute(model, case, settings)
    rows: list[int] = []

    def little_memory(_: nn.Module, __: tuple[()], given: dict[str, torch.Tensor]) -> None:
        rows.append(len(given["input_ids"]))
        if rows[-1] > 6:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    handle = model.network.register_forward_pre_hook(little_memory, with_kwargs=True)
    passes = Passes(settings.tokens_per_pass)
    found = attribute(model, case, settings, passes)
    handle.remove()
    assert (max(rows) > 6, passes.has_shrunk) == (True, True)
    assert_alike(found.scores, wanted.scores, tolerance=1e-4)
