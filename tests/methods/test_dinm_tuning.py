import copy
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from harness.transformers_model import TransformersModel
from methods.dinm import tuning
from methods.dinm.instances import Lesson, encode
from methods.dinm.locating import region
from methods.dinm.settings import AS_VARIANT, SUFFIX, VARIANTS, DinmSettings, resolved
from methods.dinm.tuning import Tuned, divergence, edit_loss, predictions, tune
from methods.metering import Meter
from tests.methods.literal_dinm import (
    instance,
    literal_divergence,
    literal_nll,
    literal_steps,
    log_probabilities_after,
)
from tests.methods.tiny_models import FAMILIES, tiny, tokenizer

FIXED = resolved(DinmSettings(steps=3, learning_rate=1e-3))
FAITHFUL = resolved(DinmSettings(steps=3, learning_rate=1e-3, variant="faithful"))


def lesson_of(model: TransformersModel, settings: DinmSettings = FIXED) -> Lesson:
    return encode(model, instance(), settings)


def tuned(
    settings: DinmSettings, model: TransformersModel | None = None, masks: dict[str, Tensor] | None = None
) -> tuple[Tuned, Meter]:
    model, meter = model or tiny(), Meter()
    toxic = region(model, model.blocks[1], "down_projection")
    return tune(model, toxic, masks or {}, lesson_of(model, settings), settings, meter), meter


def delta_of(settings: DinmSettings, model: TransformersModel | None = None) -> Tensor:
    (delta,) = tuned(settings, model)[0].deltas.values()
    return delta


@pytest.mark.parametrize("settings", [FIXED, FAITHFUL], ids=["fixed", "faithful"])
@pytest.mark.parametrize("family", FAMILIES)
def test_steps_are_those_of_adam_written_out_on_a_copy(family: str, settings: DinmSettings) -> None:
    model = tiny(family)
    expected = literal_steps(
        model,
        lesson_of(model, settings),
        model.blocks[1].dense.down_weight,
        3,
        1e-3,
        edit_weight=0.1,
        is_felt=settings.constraint == "differentiated",
    )
    assert (delta_of(settings, model) - expected).abs().max() < 3e-5
    assert expected.abs().max() > 1e-3


@pytest.mark.parametrize("constraint", ["differentiated", "value_only"])
def test_the_losses_are_the_weighted_edit_loss_and_the_constraint_before_each_step(constraint: str) -> None:
    model, lesson = tiny(), lesson_of(tiny())
    name = model.blocks[1].dense.down_weight
    # At the start the divergence is 0 and has no slope, so the first step is the same with and without its gradient.
    one_step = literal_steps(model, lesson, name, 1, 0.1, edit_weight=0.1, is_felt=False)
    network = copy.deepcopy(model.network)
    before = log_probabilities_after(network, lesson.answer.prompt, lesson.answer.reply)
    expected = [0.1 * float(literal_nll(network, *lesson.refusal))]
    network.get_parameter(name).data += one_step
    after = log_probabilities_after(network, lesson.answer.prompt, lesson.answer.reply)
    apart = literal_divergence(before, after)
    expected.append(0.1 * float(literal_nll(network, *lesson.refusal)) + apart)
    found, _ = tuned(replace(FIXED, learning_rate=0.1, constraint=constraint))
    assert found.losses[:2] == pytest.approx(expected, rel=1e-3)
    assert apart > 0.05


tables = st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=2, max_size=2)


@given(tables, tables)
def test_the_divergence_is_that_of_the_formula_in_both_directions(
    one: list[list[float]], two: list[list[float]]
) -> None:
    unedited, edited = torch.tensor(one, dtype=torch.float64), torch.tensor(two, dtype=torch.float64)
    found = [float(divergence(unedited, edited, way)) for way in ("unedited_to_edited", "edited_to_unedited")]
    expected = [literal_divergence(unedited, edited), literal_divergence(edited, unedited)]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_directions_of_the_divergence_differ() -> None:
    one, two = torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[2.0, 0.0, 0.0]])
    towards = [float(divergence(one, two, way)) for way in ("unedited_to_edited", "edited_to_unedited")]
    assert abs(towards[0] - towards[1]) > 0.1


def test_the_other_direction_makes_another_edit() -> None:
    assert not torch.equal(delta_of(FIXED), delta_of(replace(FIXED, divergence="edited_to_unedited")))


def test_without_gradient_the_constraint_moves_nothing() -> None:
    felt, unfelt = replace(FIXED, constraint="differentiated"), replace(FIXED, constraint="value_only")
    assert not torch.equal(delta_of(felt), delta_of(unfelt))
    # With Adam the edit loss alone decides then, so its weight hardly matters: only through epsilon.
    assert (delta_of(unfelt) - delta_of(replace(unfelt, edit_weight=1.0))).abs().max() < 1e-4


def test_the_published_labels_put_the_opening_token_in_the_place_of_the_last_prompt_token() -> None:
    model = tiny()
    plain, shifted = lesson_of(model), lesson_of(model, replace(FIXED, labels="opening_and_reply"))
    rows = log_probabilities_after(model.network, plain.prompt[:-1], (plain.prompt[-1], *plain.safe, 2))
    labels = (plain.prompt[0], *plain.safe, 2)
    expected = -sum(float(rows[index, label]) for index, label in enumerate(labels)) / len(labels)
    assert float(edit_loss(model, shifted.refusal, {})) == pytest.approx(expected, rel=1e-5)
    assert len(shifted.refusal.labels) == len(plain.refusal.labels) + 1
    assert tokenizer().convert_ids_to_tokens(plain.prompt[0]) == "<|begin|>"


@pytest.mark.parametrize(("end_of_turn", "last"), [("learnt", "<|end|>"), ("left_out", ".")])
def test_the_end_of_the_turn_is_a_label_or_left_out(end_of_turn: str, last: str) -> None:
    lesson = lesson_of(tiny(), replace(FIXED, end_of_turn=end_of_turn))
    assert tokenizer().convert_ids_to_tokens(lesson.refusal.labels[-1]) == last
    assert lesson.refusal.labels[: len(lesson.safe)] == lesson.safe


@pytest.mark.parametrize(("intervention", "training_suffix", "expected"), [
    ("edit", "as_answered", False),
    ("edit", "always", True),
    ("edit+suffix", "as_answered", True),
    ("edit+suffix", "always", True),
])  # fmt: skip
def test_prompts_carry_the_suffix_in_training_as_they_will_in_use_or_always(
    intervention: str, training_suffix: str, expected: bool
) -> None:
    settings = replace(FIXED, intervention=intervention, training_suffix=training_suffix)
    lesson = lesson_of(tiny(), settings)
    for ids in (lesson.prompt, lesson.refusal.prompt, lesson.answer.prompt):
        assert (f" {SUFFIX}" in str(tokenizer().decode(ids))) is expected


def test_the_faithful_variant_is_the_authors_setup_to_the_letter() -> None:
    assert asdict(resolved(DinmSettings(variant="faithful"))) == {
        "intervention": "edit+suffix",
        "protocol": "one_edit",
        "learning_rate": 5e-4,
        "steps": 10,
        "instances": 1,
        "edit_fraction": 1.0,
        "mask_rule": "gradient_top",
        "delta": "tuned",
        "edit_scope": "down_projection",
        "edit_weight": 0.1,
        "divergence": "unedited_to_edited",
        "weight_decay": 0.0,
        "distance": "raw",
        "limit": 0.0,
        "variant": "faithful",
        "constraint": "value_only",
        "end_of_turn": "left_out",
        "labels": "opening_and_reply",
        "training_suffix": "always",
        "location": "first_instance",
        "location_input": "replies_alone",
        "early_stop": "below_0.0001",
    }


def test_the_variant_sets_everything_that_is_left_to_it_and_nothing_that_was_set() -> None:
    for variant, switches in VARIANTS.items():
        settings = resolved(DinmSettings(variant=variant))
        assert {name: getattr(settings, name) for name in switches} == switches
    assert AS_VARIANT not in vars_of(resolved(DinmSettings()))
    given = DinmSettings(variant="faithful", labels="reply", instances=3, intervention="edit")
    assert resolved(given) == replace(
        resolved(DinmSettings(variant="faithful")), labels="reply", instances=3, intervention="edit"
    )


def vars_of(settings: DinmSettings) -> list[Any]:
    return [getattr(settings, name) for name in settings.__dataclass_fields__]


@pytest.mark.parametrize(("early_stop", "steps"), [("never", 3), ("below_0.0001", 1)])
def test_the_published_code_ends_where_the_whole_loss_is_small(early_stop: str, steps: int) -> None:
    found, _ = tuned(replace(FIXED, early_stop=early_stop, edit_weight=0.0))
    assert len(found.losses) == steps


def test_no_entry_moves_beyond_the_limit() -> None:
    free, limited = delta_of(FIXED), delta_of(replace(FIXED, limit=5e-4))
    assert free.abs().max() > 1e-3
    assert 4.9e-4 < limited.abs().max() <= 5.01e-4


def test_weight_decay_is_that_of_adam() -> None:
    decayed = delta_of(replace(FIXED, weight_decay=10.0))
    assert not torch.equal(decayed, delta_of(FIXED))
    # So strong a decay decides the sign of every step: towards zero.
    weight = tiny().network.state_dict()[tiny().blocks[1].dense.down_weight]
    assert ((decayed * weight < 0) | (weight.abs() < 0.01)).float().mean() > 0.99


def test_entries_outside_a_mask_keep_every_bit_weight_decay_included() -> None:
    model = tiny()
    name = model.blocks[1].dense.down_weight
    mask = torch.rand(model.network.state_dict()[name].shape, generator=torch.Generator().manual_seed(1)) < 0.3
    free = tuned(replace(FIXED, weight_decay=0.1), model)[0].deltas[name]
    masked = tuned(replace(FIXED, weight_decay=0.1), model, {name: mask})[0].deltas[name]
    assert not bool(masked[~mask].any())
    assert bool((masked[mask] != 0).all())
    assert not torch.equal(masked[mask], free[mask])


def test_a_mask_before_adam_is_a_mask_on_the_first_step() -> None:
    model, settings = tiny(), replace(FIXED, steps=1)
    name = model.blocks[1].dense.down_weight
    mask = torch.rand(model.network.state_dict()[name].shape, generator=torch.Generator().manual_seed(1)) < 0.3
    masked = tuned(settings, model, {name: mask})[0].deltas[name]
    assert torch.equal(masked, tuned(settings, model)[0].deltas[name] * mask)


def test_small_steps_are_not_lost_in_a_model_of_half_precision() -> None:
    model = tiny()
    model.network.to(torch.bfloat16)
    delta = delta_of(replace(FIXED, learning_rate=1e-5), model)
    weight = model.network.state_dict()[model.blocks[1].dense.down_weight]
    assert delta.dtype == torch.float32
    assert 1e-5 < delta.abs().max() < 4e-5
    assert (weight.float() + delta).to(torch.bfloat16).eq(weight).float().mean() > 0.9


def test_predictions_are_in_float32_and_of_the_reply_alone() -> None:
    model, lesson = tiny(), lesson_of(tiny())
    found = predictions(model, lesson.refusal)
    assert found.dtype == torch.float32
    expected = log_probabilities_after(model.network, lesson.refusal.prompt, lesson.refusal.reply)
    assert torch.allclose(found.log_softmax(dim=1), expected, atol=1e-5)


@pytest.mark.parametrize(("settings", "passes"), [
    (FIXED, 1 + 3 * (2 + 2 * 2 / 3)),
    (FAITHFUL, 1 + 3 * (2 + 2 / 3)),
    (replace(FIXED, steps=0), 1),
    (replace(FAITHFUL, edit_weight=0.0), 1 + 2),
], ids=["fixed", "faithful", "no steps", "stopped"])  # fmt: skip
def test_the_cost_counts_passes_and_how_far_they_went_back(settings: DinmSettings, passes: float) -> None:
    assert tuned(settings)[1].stages == {"editing": pytest.approx(passes)}


def test_a_loss_that_is_not_finite_is_told_with_its_step() -> None:
    with pytest.raises(ArithmeticError, match=r"^the loss of DINM became nan at step 2 of 3$"):
        tuned(replace(FIXED, learning_rate=3e37))


def test_a_weight_that_is_not_finite_is_told_with_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def finite_with_slope_nan(_: object, weights: Mapping[str, Tensor], *__: object) -> Tensor:
        return sum(((weight - weight).sqrt().sum() for weight in weights.values()), torch.tensor(1.0))

    monkeypatch.setattr(tuning, "_loss", finite_with_slope_nan)
    with pytest.raises(ArithmeticError, match=r"^a weight of DINM became infinite or NaN at step 1 of 3$"):
        tuned(FIXED)
