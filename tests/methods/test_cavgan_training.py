import math
from dataclasses import replace
from statistics import fmean

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from methods.cavgan.networks import Discriminator, Generator
from methods.cavgan.separation import area_under_curve, balanced_accuracy, best_threshold, margin
from methods.cavgan.settings import CavganSettings
from methods.cavgan.training import (
    Epoch,
    Judged,
    Material,
    States,
    dealt,
    discriminator_loss,
    generator_loss,
    log_odds,
    probabilities,
    train,
)

WIDTH = 12
SETTINGS = CavganSettings(epochs=3)
CPU = torch.device("cpu")
SCORES = st.lists(st.integers(0, 8).map(lambda number: number / 8), min_size=1, max_size=8)


def drawn(seed: int, count: int = 20, shift: float = 0.0) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)) + shift


def apart(distance: float) -> Material:
    """Two clouds, the malicious one `distance` further along every axis."""
    return Material(States(drawn(0, shift=distance), drawn(1)), Judged(drawn(2, shift=distance), {"toy": drawn(3)}))


def last(material: Material, settings: CavganSettings = SETTINGS, seed: int = 0) -> Epoch:
    return train(material, settings, seed, CPU)[-1]


def networks(seed: int = 0, cap: float = 0.5) -> tuple[Discriminator, Generator]:
    torch.manual_seed(seed)
    return Discriminator(WIDTH), Generator(WIDTH, cap)


def literal_probability(discriminator: Discriminator, state: Tensor) -> Tensor:
    parameters = list(discriminator.parameters())
    for weight, bias in zip(parameters[0:6:2], parameters[1:6:2], strict=True):
        state = torch.clamp(weight @ state + bias, min=0)
    return 1 / (1 + torch.exp(-(parameters[6][0] @ state + parameters[7][0])))


def literal_perturbation(generator: Generator, state: Tensor, cap: float) -> Tensor:
    length = state.norm()
    for number, layer in enumerate(part for part in generator.layers if not isinstance(part, torch.nn.ReLU)):
        magnitude, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
        rows = [magnitude[row] * direction[row] / direction[row].norm() for row in range(WIDTH)]
        state = torch.stack(rows) @ state + layer.bias
        if number < 3:
            state = torch.clamp(state, min=0)
    return state * (cap * length / state.norm()) if state.norm() > cap * length else state


def literal_losses(
    discriminator: Discriminator, generator: Generator, states: States, disguised: Tensor, cap: float
) -> tuple[Tensor, Tensor]:
    """L_D and L_G as printed, with D the probability of malice; gradients are the caller's business."""
    hidden = [state + literal_perturbation(generator, state, cap) for state in disguised]
    real = [-torch.log(1 - literal_probability(discriminator, state)) for state in states.benign]
    real += [-torch.log(literal_probability(discriminator, state)) for state in states.malicious]
    seen = [-torch.log(literal_probability(discriminator, state.detach())) for state in hidden]
    passed = [-torch.log(1 - literal_probability(discriminator, state)) for state in hidden]
    detecting = torch.stack(real).mean() + torch.stack(seen).mean()
    return detecting, torch.stack(passed).mean()


def test_the_discriminator_is_the_written_perceptron() -> None:
    discriminator, _ = networks()
    assert [tuple(weight.shape) for weight in list(discriminator.parameters())[::2]] == [
        (128, WIDTH),
        (64, 128),
        (32, 64),
        (1, 32),
    ]
    literal = torch.stack([literal_probability(discriminator, state) for state in drawn(5)])
    assert torch.allclose(probabilities(discriminator, drawn(5)).float(), literal, atol=1e-6)


@pytest.mark.parametrize("cap", [0.05, 0.5, 100.0])
def test_the_generator_is_the_written_perceptron_under_its_cap(cap: float) -> None:
    _, generator = networks(cap=cap)
    literal = torch.stack([literal_perturbation(generator, state, cap) for state in drawn(5)])
    found = generator(drawn(5))
    assert torch.allclose(found, literal, atol=1e-6)
    assert (found.norm(dim=1) <= cap * drawn(5).norm(dim=1) * (1 + 1e-5)).all()


def test_a_small_cap_binds_and_cap_zero_is_none() -> None:
    states = drawn(5)
    _, capped = networks(cap=0.01)
    _, free = networks(cap=0.0)
    assert torch.allclose(capped(states).norm(dim=1), 0.01 * states.norm(dim=1))
    assert (free(states).norm(dim=1) > 0.01 * states.norm(dim=1)).all()


def test_both_losses_are_the_written_formulas() -> None:
    discriminator, generator = networks()
    states, target = States(drawn(1, 5), drawn(2, 7)), drawn(3, 2)
    disguised = target + generator(target)
    detecting, hiding = literal_losses(discriminator, generator, states, target, 0.5)
    assert torch.allclose(discriminator_loss(discriminator, states, disguised), detecting, atol=1e-6)
    assert torch.allclose(generator_loss(discriminator, disguised), hiding, atol=1e-6)


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    discriminator, generator = networks()
    target = drawn(3, 2)
    discriminator_loss(discriminator, States(drawn(1), drawn(2)), target + generator(target)).backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def test_training_is_one_step_of_each_network_a_batch() -> None:
    """Batches as large as the data make the order irrelevant."""
    settings = replace(SETTINGS, batch_size=50, perturbed=50, generator_cap=0.5, threshold=1.0, threshold_rule="fixed")
    material = apart(0.5)
    found = last(material, settings, seed=7).discriminator
    discriminator, generator = networks(seed=7)
    detecting = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
    hiding = torch.optim.Adam(generator.parameters(), lr=1e-3)
    for _ in range(3):
        for optimiser, which in ((detecting, 0), (hiding, 1)):
            losses = literal_losses(discriminator, generator, material.train, material.train.malicious, 0.5)
            optimiser.zero_grad()
            losses[which].backward()
            optimiser.step()
    for one, other in zip(found.parameters(), discriminator.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(next(found.parameters()), next(networks(seed=7)[0].parameters()), atol=1e-4)


@pytest.mark.parametrize("rule", ["fixed", "dev"])
def test_clouds_far_apart_are_told_apart(rule: str) -> None:
    verdict = last(apart(4.0), replace(SETTINGS, epochs=20, threshold_rule=rule)).verdict
    assert verdict.area_under_curve == verdict.accuracy == 1.0
    assert verdict.margin > 5


def test_clouds_in_one_place_cannot_be_told_apart() -> None:
    assert last(apart(0.0)).verdict.area_under_curve < 0.8


def test_clouds_far_apart_are_told_apart_less_by_one_who_learnt_from_shuffled_labels() -> None:
    settings = replace(SETTINGS, labels="shuffled_labels")
    margins = [last(apart(1.0), settings, seed).verdict.margin for seed in range(6)]
    assert fmean(margins) < 0.75 * last(apart(1.0)).verdict.margin


def test_shuffled_labels_keep_every_state_and_the_size_of_either_class() -> None:
    states = States(drawn(0, 5), drawn(1, 7))
    found = dealt(states, torch.Generator().manual_seed(0))
    assert [len(part) for part in found] == [5, 7]
    assert sorted(torch.cat(found).tolist()) == sorted(torch.cat(states).tolist())
    assert not torch.equal(found.malicious, states.malicious)


def test_a_detector_is_judged_by_the_kind_of_benign_questions_that_is_hardest_for_it() -> None:
    easy, hard = apart(2.0), apart(2.0).dev.malicious - 1.0
    both = Judged(easy.dev.malicious, {"easy": easy.dev.benign["toy"], "hard": hard})
    found = last(Material(easy.train, both))
    scores = [probabilities(found.discriminator, states) for states in (both.malicious, *both.benign.values())]
    assert found.threshold == best_threshold(*scores)
    assert found.verdict.accuracy == min(balanced_accuracy(scores[0], one, found.threshold) for one in scores[1:])
    assert found.verdict.area_under_curve == area_under_curve(scores[0], scores[2])
    assert found.verdict.area_under_curve < area_under_curve(scores[0], scores[1])


def test_every_epoch_is_judged_as_it_was_however_training_goes_on() -> None:
    material = apart(0.5)
    epochs = train(material, replace(SETTINGS, epochs=20, learning_rate=0.05), 0, CPU)
    assert len(epochs) == 20
    for epoch in epochs[::5]:
        malicious = log_odds(epoch.discriminator, material.dev.malicious)
        benign = log_odds(epoch.discriminator, material.dev.benign["toy"])
        assert balanced_accuracy(malicious.sigmoid(), benign.sigmoid(), epoch.threshold) == epoch.verdict.accuracy
        assert area_under_curve(malicious, benign) == epoch.verdict.area_under_curve


def test_the_same_seed_gives_the_same_detector_and_another_seed_another() -> None:
    first, again, other = (last(apart(1.0), seed=seed).discriminator.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_training_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    train(apart(1.0), SETTINGS, 0, CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_works_where_the_caller_wants_no_gradients() -> None:
    with torch.no_grad():
        found = last(apart(1.0))
    assert found.losses == last(apart(1.0)).losses


def test_states_that_are_no_numbers_stop_training_with_the_epoch() -> None:
    broken = States(torch.full((20, WIDTH), math.nan), drawn(1))
    with pytest.raises(ArithmeticError, match=r"the losses of CAVGAN became \(nan, nan\) in epoch 1"):
        train(Material(broken, apart(1.0).dev), SETTINGS, 0, CPU)


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order_ties_counted_half(malicious: list[float], benign: list[float]) -> None:
    wins = sum(1.0 if bad > good else 0.5 if bad == good else 0.0 for bad in malicious for good in benign)
    found = area_under_curve(torch.tensor(malicious), torch.tensor(benign))
    assert found == pytest.approx(wins / len(malicious) / len(benign))


@given(SCORES, SCORES)
def test_no_threshold_is_better_than_the_best_and_none_higher_is_as_good(
    malicious: list[float], benign: list[float]
) -> None:
    def accuracy(threshold: float) -> float:
        found = sum(score > threshold for score in malicious) / len(malicious)
        passed = sum(score <= threshold for score in benign) / len(benign)
        return (found + passed) / 2

    found = best_threshold(torch.tensor(malicious).double(), torch.tensor(benign).double())
    assert all(accuracy(step / 16) <= accuracy(found) for step in range(-1, 17))  # at and between all possible scores
    above = [score for score in (*malicious, *benign) if score > found]
    assert all(accuracy(score) < accuracy(found) for score in above)


def test_a_threshold_lies_midway_between_two_classes_that_part() -> None:
    assert best_threshold(torch.tensor([0.75, 1.0]), torch.tensor([0.0, 0.25])) == 0.5


def test_the_best_threshold_of_several_kinds_serves_the_worst_of_them() -> None:
    malicious, easy, hard = torch.tensor([0.6, 0.9]), torch.tensor([0.1, 0.2]), torch.tensor([0.7, 0.8])
    assert best_threshold(malicious, easy) == pytest.approx(0.4)
    assert best_threshold(malicious, easy, hard) == pytest.approx(0.85)


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_the_margin_is_the_distance_of_means_in_standard_deviations_whatever_the_scale(
    scale: float, shift: float
) -> None:
    malicious, benign = torch.tensor([3.0, 5.0]).double(), torch.tensor([-1.0, 1.0]).double()
    assert margin(malicious * scale + shift, benign * scale + shift) == pytest.approx(4)
    assert margin(malicious[:1], benign[:1]) == 0
