import pytest
import torch

from methods.neurontune.outer import Adam, Descent, make_outer
from methods.neurontune.settings import NeuronTuneSettings


def moved(outer: Descent | Adam, theta: list[torch.Tensor], *gradients: list[float]) -> list[float]:
    before = torch.cat(theta)
    outer.step(theta, [torch.tensor(one) for one in gradients])
    return (torch.cat(theta) - before).tolist()


def start() -> list[torch.Tensor]:
    return [torch.full((2,), 1.2), torch.full((1,), 0.8)]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_largest_first_step_is_its_share_of_the_reach_and_the_others_are_in_proportion(scale: float) -> None:
    steps = moved(Descent(reach=2.0, epochs=10), start(), [0.01 * scale, -0.04 * scale], [0.002 * scale])
    assert steps == pytest.approx([-0.05, 0.2, -0.01], rel=1e-4)


def test_later_steps_shrink_with_their_gradients() -> None:
    descent, theta = Descent(reach=1.0, epochs=5), start()
    moved(descent, theta, [0.5, 0.0], [0.0])
    assert moved(descent, theta, [0.05, 0.0], [-0.25]) == pytest.approx([-0.02, 0.0, 0.1], abs=1e-6)


def test_without_a_gradient_nothing_moves_and_the_first_real_one_sets_the_rate() -> None:
    descent, theta = Descent(reach=1.0, epochs=5), start()
    assert moved(descent, theta, [0.0, 0.0], [0.0]) == [0, 0, 0]
    assert moved(descent, theta, [0.0, 0.0], [3.0]) == pytest.approx([0, 0, -0.2])


def test_a_set_without_neurons_does_not_disturb() -> None:
    theta = [torch.full((1,), 1.2), torch.zeros(0)]
    assert moved(Descent(reach=1.0, epochs=4), theta, [0.1], []) == pytest.approx([-0.25])


def test_adam_moves_every_factor_alike() -> None:
    theta = [one.requires_grad_() for one in start()]
    steps = moved(Adam(theta, rate=0.1), theta, [0.01, -0.04], [0.002])
    assert steps == pytest.approx([-0.1, 0.1, -0.1], rel=1e-3)


def test_the_settings_name_the_step() -> None:
    theta = [one.requires_grad_() for one in start()]
    descent = make_outer(theta, NeuronTuneSettings(meta_reach=3.0, epochs=7))
    assert isinstance(descent, Descent)
    assert (descent.reach, descent.epochs) == (3.0, 7)
    assert isinstance(make_outer(theta, NeuronTuneSettings(meta_optimiser="adam")), Adam)
