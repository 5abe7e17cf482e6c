import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmarks.base import Intent
from harness.transformers_model import TransformersModel
from methods.metering import Meter
from methods.neurontune.modulation import Modulation, Theta
from methods.neurontune.outer import Descent
from methods.neurontune.settings import NeuronTuneSettings
from methods.neurontune.tuning_pairs import SafetyPair, TuningPairs
from methods.passes import Passes
from methods.teacher_forcing import encode_pair
from tests.methods.literal_modulation import (
    SELECTION,
    literal_adaptation,
    literal_descent,
    literal_first_order,
    literal_joint,
    literal_logits,
    literal_nll,
)
from tests.methods.tiny_models import embedded_data, tiny

SETTINGS = NeuronTuneSettings(
    inner_steps=2,
    inner_rate=0.5,
    inner_clip=0.05,
    meta_rate=0.1,
    joint_weight=0.3,
    batch_size=2,
    epochs=2,
    meta_optimiser="adam",
)
SILENT = lambda stage, done, total: None  # noqa: E731, ARG005


class LastEpoch(Modulation):
    """Every epoch counts as better than those before, so that `run` gives the factors of the last."""

    def _validate(self, theta: Theta, epoch: int) -> float:
        super()._validate(theta, epoch)
        return -float(epoch)


@pytest.fixture(scope="module")
def model() -> TransformersModel:
    return tiny()


@pytest.fixture(scope="module")
def pairs(model: TransformersModel) -> TuningPairs:
    return pairs_for(model)


def pairs_for(model: TransformersModel) -> TuningPairs:
    """Short questions with replies of different lengths: two local, three global, two validation pairs of each kind."""
    plain = [prompt for prompt in embedded_data().train if not prompt.attack]
    bad = [prompt for prompt in plain if prompt.intent is Intent.HARMFUL][:7]
    good = [prompt for prompt in plain if prompt.intent is Intent.BENIGN][:7]

    def reply(text: str | None, number: int) -> str:
        return " ".join((text or "").split()[: 6 + number])

    safety = [
        SafetyPair(
            encode_pair(model, prompt, reply(prompt.references.safe, number)),
            encode_pair(model, prompt, reply(prompt.references.unsafe, 9 - number)),
        )
        for number, prompt in enumerate(bad)
    ]
    utility = [
        encode_pair(model, prompt, reply(prompt.references.useful, number)) for number, prompt in enumerate(good)
    ]
    return TuningPairs(safety[:2], utility[:2], safety[2:5], utility[2:5], safety[5:], utility[5:])


def modulation(
    model: TransformersModel, pairs: TuningPairs, settings: NeuronTuneSettings, kind: type[Modulation] = LastEpoch
) -> Modulation:
    return kind(model, SELECTION, pairs, settings, Meter(), Passes(settings.tokens_per_pass))


def adapt(model: TransformersModel, pairs: TuningPairs, settings: NeuronTuneSettings) -> Theta:
    """The factors after the last epoch."""
    return modulation(model, pairs, settings).run(random.Random(0), SILENT).theta


def assert_close(ours: Theta, wanted: Theta, tolerance: float) -> None:
    for one, other in zip(ours, wanted, strict=True):
        assert (one - other).abs().max() <= tolerance, f"{one.tolist()} is not {other.tolist()}"


def test_the_first_meta_step_and_the_second_are_those_of_algorithm_1(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    assert_close(adapt(model, pairs, SETTINGS), literal_first_order(model, pairs, SETTINGS), 1e-3)


def test_with_plain_steps_as_line_21_prints_them_too(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = replace(SETTINGS, meta_optimiser="gradient", meta_reach=0.8)
    found = adapt(model, pairs, settings)
    assert_close(found, literal_descent(model, pairs, settings), 1e-3)
    one = adapt(model, pairs, replace(settings, epochs=1))
    start = modulation(model, pairs, settings).start()
    moved = torch.cat([after - before for after, before in zip(one, start, strict=True)]).abs()
    assert float(moved.max()) == pytest.approx(0.8, rel=1e-4)
    assert float(moved.min()) < 0.1


def test_the_algorithm_clamps_at_the_limit(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = replace(SETTINGS, scale_limit=1.21, inner_rate=4.0, meta_rate=0.05)
    wanted = literal_first_order(model, pairs, settings)
    assert float(wanted.safety.max()) == pytest.approx(1.21)
    assert_close(adapt(model, pairs, settings), wanted, 1e-3)


def test_how_many_rows_go_into_a_pass_changes_nothing(model: TransformersModel, pairs: TuningPairs) -> None:
    for kind in ("first_order", "second_order"):
        whole, *split = (
            adapt(model, pairs, replace(SETTINGS, meta_gradient=kind, epochs=1, tokens_per_pass=tokens))
            for tokens in (2048, 100, 1)
        )
        for one in split:
            assert_close(one, whole, 1e-4)


def test_no_pass_has_more_tokens_than_the_setting_says_but_for_a_single_row(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    shapes: list[torch.Size] = []

    def watch(_: nn.Module, __: tuple[()], given: dict[str, Tensor]) -> None:
        shapes.append(given["input_ids"].shape)

    handle = model.network.register_forward_pre_hook(watch, with_kwargs=True)
    adapt(model, pairs, replace(SETTINGS, tokens_per_pass=90))
    assert {len(shape) for shape in shapes} == {2}
    assert {shape[0] for shape in shapes} == {2}
    assert all(shape.numel() <= 90 for shape in shapes)
    shapes.clear()
    adapt(model, pairs, replace(SETTINGS, tokens_per_pass=9))
    handle.remove()
    assert {shape[0] for shape in shapes} == {1}


class Cramped:
    """A device with room for so many tokens at once."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.refused = 0

    def __call__(self, _: nn.Module, __: tuple[()], given: dict[str, Tensor]) -> None:
        if given["input_ids"].numel() > self.tokens:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_a_pass_that_memory_has_no_room_for_is_cut_and_the_factors_are_the_same(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    wanted = adapt(model, pairs, SETTINGS)
    longest = max(pair.tokens for pair in (*pairs.local_safety, *pairs.global_safety, *pairs.validation_safety))
    device = Cramped(longest)
    handle = model.network.register_forward_pre_hook(device, with_kwargs=True)
    work = modulation(model, pairs, SETTINGS)
    found = work.run(random.Random(0), SILENT).theta
    handle.remove()
    assert device.refused == 1  # smaller passes stay small
    assert (work.passes.has_shrunk, work.passes.tokens <= longest) == (True, True)
    assert_close(found, wanted, 1e-4)


def test_memory_that_has_no_room_for_one_row_is_an_error(model: TransformersModel, pairs: TuningPairs) -> None:
    handle = model.network.register_forward_pre_hook(Cramped(5), with_kwargs=True)
    with pytest.raises(torch.OutOfMemoryError):
        adapt(model, pairs, SETTINGS)
    handle.remove()


def test_the_second_order_gradient_is_the_slope_of_the_joint_loss_through_the_inner_steps(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    settings = replace(
        SETTINGS, meta_gradient="second_order", inner_rate=5.0, inner_clip=100.0, scale_limit=100.0, batch_size=3
    )
    start = modulation(model, pairs, settings).start()
    theta = Theta(*(factors.clone().requires_grad_() for factors in start))
    # A plain descent with rate 1 moves the factors by exactly the gradient.
    descent = Descent(reach=1.0, epochs=1)
    descent.rate = 1.0
    modulation(model, pairs, settings)._meta_step(theta, descent, random.Random(0))
    gradient = torch.cat([before - after.detach() for before, after in zip(start, theta, strict=True)])
    slopes = torch.tensor([_slope(model, pairs, settings, start, place) for place in range(7)])
    assert (gradient - slopes).norm() < 0.02 * slopes.norm()
    at_adapted = literal_adaptation(model, pairs, settings, start)
    leaves = Theta(*(factors.requires_grad_() for factors in at_adapted))
    joint = literal_joint(model, pairs.global_safety, pairs.global_utility, settings.joint_weight, leaves)
    first_order = torch.cat(torch.autograd.grad(joint, leaves))
    assert (first_order - slopes).norm() > 0.05 * slopes.norm()


def _slope(
    model: TransformersModel, pairs: TuningPairs, settings: NeuronTuneSettings, start: Theta, place: int
) -> float:
    """Central difference of the joint loss after adaptation by one of the seven factors."""
    height, values = 5e-3, []
    for sign in (1, -1):
        moved = torch.cat(start)
        moved[place] += sign * height
        adapted = literal_adaptation(model, pairs, settings, Theta(moved[:4], moved[4:]))
        joint = literal_joint(model, pairs.global_safety, pairs.global_utility, settings.joint_weight, adapted)
        values.append(float(joint))
    return (values[0] - values[1]) / (2 * height)


def test_reptile_with_rate_one_lands_on_the_adapted_factors(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = replace(SETTINGS, meta_gradient="reptile", meta_rate=1.0, epochs=1)
    start = modulation(model, pairs, settings).start()
    found = adapt(model, pairs, settings)
    assert_close(found, literal_adaptation(model, pairs, settings, start), 1e-5)
    halfway = adapt(model, pairs, replace(settings, meta_rate=0.5))
    assert_close(halfway, Theta(*((one + other) / 2 for one, other in zip(start, found, strict=True))), 1e-6)


def test_the_sign_as_printed_moves_utility_factors_the_other_way(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = replace(SETTINGS, meta_gradient="reptile", meta_rate=1.0, epochs=1, inner_steps=1)
    start = modulation(model, pairs, settings).start()
    down, up = (adapt(model, pairs, replace(settings, utility_inner_sign=sign)) for sign in (-1, 1))
    assert torch.equal(down.safety, up.safety)
    assert (down.utility - start.utility).abs().max() > 1e-3
    assert torch.allclose(down.utility - start.utility, start.utility - up.utility, atol=1e-6)


def test_no_epochs_keep_the_start(model: TransformersModel, pairs: TuningPairs) -> None:
    tuned = modulation(model, pairs, replace(SETTINGS, epochs=0), Modulation).run(random.Random(0), SILENT)
    assert tuned.theta.safety.tolist() == pytest.approx([1.2] * 4)
    assert tuned.theta.utility.tolist() == pytest.approx([0.8] * 3)
    assert len(tuned.validation) == 1


@pytest.mark.parametrize("kind", ["first_order", "second_order", "reptile"])
def test_factors_stay_between_zero_and_the_limit(model: TransformersModel, pairs: TuningPairs, kind: str) -> None:
    rate = 1.0 if kind == "reptile" else 5.0
    settings = replace(
        SETTINGS, meta_gradient=kind, scale_limit=1.5, inner_rate=50.0, inner_clip=9.0, meta_rate=rate, epochs=1
    )
    factors = torch.cat(adapt(model, pairs, settings))
    assert (float(factors.min()), float(factors.max())) == (0.0, 1.5)


def test_the_epoch_with_the_lowest_validation_loss_wins(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = replace(SETTINGS, epochs=4, meta_rate=0.4)
    tuned = modulation(model, pairs, settings, Modulation).run(random.Random(0), SILENT)
    assert len(tuned.validation) == 5
    assert max(tuned.validation) > min(tuned.validation)
    joint = literal_joint(model, pairs.validation_safety, pairs.validation_utility, 0.3, tuned.theta)
    assert float(joint) == pytest.approx(min(tuned.validation), rel=1e-4)


def test_a_worse_epoch_never_replaces_a_better_one(model: TransformersModel, pairs: TuningPairs) -> None:
    class Worsening(Modulation):
        def _validate(self, theta: Theta, epoch: int) -> float:  # noqa: ARG002
            return float(epoch)

    tuned = modulation(model, pairs, SETTINGS, Worsening).run(random.Random(0), SILENT)
    assert tuned.theta.safety.tolist() == pytest.approx([1.2] * 4)
    assert tuned.validation == [0.0, 1.0, 2.0]


def test_a_loss_that_is_no_number_names_the_epoch(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = replace(SETTINGS, inner_rate=float("nan"))
    with pytest.raises(FloatingPointError) as caught:
        adapt(model, pairs, settings)
    assert str(caught.value) == "the joint loss became nan after epoch 1 of the adaptive stage"


def test_a_broken_model_stops_before_the_first_epoch() -> None:
    broken = tiny()
    broken.blocks[0].dense.down_projection.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="after epoch 0 of the adaptive stage"):
        adapt(broken, pairs_for(broken), SETTINGS)


def _first_validation(model: TransformersModel, pairs: TuningPairs, settings: NeuronTuneSettings) -> float:
    return modulation(model, pairs, replace(settings, epochs=0), Modulation).run(random.Random(0), SILENT).validation[0]


def test_divergence_from_the_unmodified_model_is_zero_at_factors_of_one(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    settings = NeuronTuneSettings(
        utility_loss="kl_to_unmodified", joint_weight=0.0, safety_scale=1.0, utility_scale=1.0
    )
    assert _first_validation(model, pairs, settings) == 0.0


def test_divergence_from_the_unmodified_model_is_its_formula(model: TransformersModel, pairs: TuningPairs) -> None:
    settings = NeuronTuneSettings(utility_loss="kl_to_unmodified", joint_weight=0.0)
    theta = modulation(model, pairs, settings).start()
    divergences = []
    for pair in pairs.validation_utility:
        before = literal_logits(model, pair, None).softmax(dim=1)
        after = literal_logits(model, pair, theta).softmax(dim=1)
        divergences.append(float((before * (before / after).log()).sum() / len(pair.reply)))
    wanted = sum(divergences) / len(divergences)
    assert wanted > 1e-3
    assert _first_validation(model, pairs, settings) == pytest.approx(wanted, rel=1e-3)


def test_the_margin_is_the_safe_responses_loss_less_the_unsafe_ones(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    settings = NeuronTuneSettings(safety_loss="margin", joint_weight=1.0)
    theta = modulation(model, pairs, settings).start()
    safe = literal_nll(model, [pair.safe for pair in pairs.validation_safety], theta)
    unsafe = literal_nll(model, [pair.unsafe for pair in pairs.validation_safety if pair.unsafe], theta)
    assert _first_validation(model, pairs, settings) == pytest.approx(float(safe - unsafe), rel=1e-3, abs=1e-4)


def test_passes_are_counted_and_those_that_are_differentiated_twice(
    model: TransformersModel, pairs: TuningPairs
) -> None:
    meter = Meter()
    Modulation(model, SELECTION, pairs, SETTINGS, meter, Passes(2048)).run(random.Random(0), SILENT)
    inner, outer, validation = 2 * (2 + 2), 2 + 2, 2 + 2
    assert meter.stages == {"adaptation": 2 * (2 * inner + 2 * outer) + 3 * validation}


def test_progress_is_told_of_every_epoch(model: TransformersModel, pairs: TuningPairs) -> None:
    told: list[tuple[str, int, int]] = []
    modulation(model, pairs, SETTINGS).run(
        random.Random(0), lambda stage, done, total: told.append((stage, done, total))
    )
    assert told == [("adapting", 0, 2), ("adapting", 1, 2), ("adapting", 2, 2)]
