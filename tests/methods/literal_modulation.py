"""Algorithm 1 of NeuronTune line by line, slowly: one sequence at a time, one hook a neuron, steps written out."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from methods.base import ChatModel
from methods.neurontune.modulation import Theta
from methods.neurontune.pinpointing import Neurons, Selection
from methods.neurontune.settings import NeuronTuneSettings
from methods.neurontune.tuning_pairs import SafetyPair, TuningPairs
from methods.teacher_forcing import Pair
from tests.methods.literal_attribution import reply_predictions

SELECTION = Selection(
    Neurons(torch.tensor([0, 1, 2, 2]), torch.tensor([3, 5, 7, 8])),
    Neurons(torch.tensor([0, 1, 1]), torch.tensor([30, 31, 32])),
    0,
)


def literal_logits(model: ChatModel, pair: Pair, theta: Theta | None) -> Tensor:
    """Predictions of the response, every chosen neuron multiplied by its factor in a hook of its own."""
    handles = []
    for neurons, factors in zip((SELECTION.safety, SELECTION.utility), theta or (), strict=False):
        for index in range(len(factors)):
            block, place = int(neurons.block[index]), int(neurons.place[index])
            handles.append(
                model.blocks[block].dense.down_projection.register_forward_pre_hook(_Multiply(place, factors[index]))
            )
    logits = reply_predictions(model, pair)
    for handle in handles:
        handle.remove()
    return logits


class _Multiply:
    """A hook that multiplies one neuron."""

    def __init__(self, place: int, factor: Tensor) -> None:
        self.place, self.factor = place, factor

    def __call__(self, _: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        is_it = torch.arange(args[0].shape[-1]) == self.place
        return (torch.where(is_it, args[0] * self.factor, args[0]),)


def literal_nll(model: ChatModel, pairs: Sequence[Pair], theta: Theta) -> Tensor:
    losses = []
    for pair in pairs:
        log_probabilities = literal_logits(model, pair, theta).log_softmax(dim=1)
        losses.append(
            -sum(row[token] for row, token in zip(log_probabilities, pair.reply, strict=True)) / len(pair.reply)
        )
    return sum(losses, torch.tensor(0.0)) / len(losses)


def literal_adaptation(model: ChatModel, pairs: TuningPairs, settings: NeuronTuneSettings, start: Theta) -> Theta:
    """Lines 9 to 17."""
    safety, utility = start
    for _ in range(settings.inner_steps):
        leaf = safety.detach().requires_grad_()
        loss = literal_nll(model, [pair.safe for pair in pairs.local_safety], Theta(leaf, utility))
        safety = _inner_step(leaf, loss, -settings.inner_rate, settings)
        leaf = utility.detach().requires_grad_()
        loss = literal_nll(model, pairs.local_utility, Theta(safety, leaf))
        utility = _inner_step(leaf, loss, settings.utility_inner_sign * settings.inner_rate, settings)
    return Theta(safety, utility)


def _inner_step(leaf: Tensor, loss: Tensor, rate: float, settings: NeuronTuneSettings) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, leaf)
    norm = float(gradient.norm())
    if norm > settings.inner_clip:
        gradient = gradient * settings.inner_clip / norm
    return (leaf + rate * gradient).detach().clamp(0, settings.scale_limit)


def literal_joint(
    model: ChatModel, safety: Sequence[SafetyPair], utility: Sequence[Pair], weight: float, theta: Theta
) -> Tensor:
    by_safety = literal_nll(model, [pair.safe for pair in safety], theta)
    return weight * by_safety + (1 - weight) * literal_nll(model, utility, theta)


def literal_first_order(model: ChatModel, pairs: TuningPairs, settings: NeuronTuneSettings) -> Theta:
    """Lines 1 to 22 with Adam written out."""
    rng = random.Random(0)
    theta = _start(settings)
    first, second = [Theta(torch.zeros(4), torch.zeros(3)) for _ in range(2)]
    for epoch in range(1, settings.epochs + 1):
        slopes = literal_slopes(model, pairs, settings, theta, rng)
        first = Theta(*(0.9 * mean + 0.1 * slope for mean, slope in zip(first, slopes, strict=True)))
        second = Theta(*(0.999 * mean + 0.001 * slope**2 for mean, slope in zip(second, slopes, strict=True)))
        theta = Theta(
            *(
                (
                    factors
                    - settings.meta_rate * (mean / (1 - 0.9**epoch)) / ((square / (1 - 0.999**epoch)).sqrt() + 1e-8)
                ).clamp(0, settings.scale_limit)
                for factors, mean, square in zip(theta, first, second, strict=True)
            )
        )
    return theta


def literal_descent(model: ChatModel, pairs: TuningPairs, settings: NeuronTuneSettings) -> Theta:
    """Lines 1 to 22 as printed: one rate for all epochs, at which the largest first step is its share of the reach."""
    rng, rate = random.Random(0), None
    theta = _start(settings)
    for _ in range(settings.epochs):
        slopes = literal_slopes(model, pairs, settings, theta, rng)
        if rate is None:
            rate = settings.meta_reach / settings.epochs / max(abs(float(slope)) for part in slopes for slope in part)
        theta = Theta(
            *(
                (factors - rate * slope).clamp(0, settings.scale_limit)
                for factors, slope in zip(theta, slopes, strict=True)
            )
        )
    return theta


def literal_slopes(
    model: ChatModel, pairs: TuningPairs, settings: NeuronTuneSettings, theta: Theta, rng: random.Random
) -> Sequence[Tensor]:
    """Lines 8 to 20: gradients of the joint loss at the adapted factors, by them."""
    adapted = Theta(*(factors.requires_grad_() for factors in literal_adaptation(model, pairs, settings, theta)))
    safety = rng.sample(list(pairs.global_safety), settings.batch_size)
    utility = rng.sample(list(pairs.global_utility), settings.batch_size)
    joint = literal_joint(model, safety, utility, settings.joint_weight, adapted)
    return torch.autograd.grad(joint, adapted)


def _start(settings: NeuronTuneSettings) -> Theta:
    return Theta(torch.full((4,), settings.safety_scale), torch.full((3,), settings.utility_scale))
