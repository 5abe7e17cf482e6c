"""Line 21 of algorithm 1: the step of the meta factors."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from methods.neurontune.settings import NeuronTuneSettings


class Outer(Protocol):
    """Moves factors against their gradients, in place."""

    def step(self, theta: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Once an epoch."""


class Descent:
    """The plain step that the paper prints, with one rate for all epochs.

    What a unit of factor does to a loss differs between models by orders of magnitude, so the rate comes from the first
    gradient: at it, the factor with the largest one would move by `reach` in all epochs together, every other factor by
    its share.
    """

    def __init__(self, reach: float, epochs: int) -> None:
        self.reach, self.epochs = reach, epochs
        self.rate = 0.0

    def step(self, theta: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Against the gradient, in proportion to it."""
        if not self.rate:
            largest = float(torch.cat(list(gradients)).abs().max())
            self.rate = self.reach / (self.epochs * largest) if largest else 0.0
        with torch.no_grad():
            for factors, gradient in zip(theta, gradients, strict=True):
                factors -= self.rate * gradient


class Adam:
    """Every factor by about the rate, whatever its gradient."""

    def __init__(self, theta: Sequence[Tensor], rate: float) -> None:
        self._adam = torch.optim.Adam(theta, lr=rate)

    def step(self, theta: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Against the running mean of gradients, over their running size."""
        for factors, gradient in zip(theta, gradients, strict=True):
            factors.grad = gradient
        self._adam.step()


def make_outer(theta: Sequence[Tensor], settings: NeuronTuneSettings) -> Outer:
    """The one that the settings name."""
    if settings.meta_optimiser == "adam":
        return Adam(theta, settings.meta_rate)
    return Descent(settings.meta_reach, settings.epochs)
