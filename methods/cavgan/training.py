"""Adversarial training on hidden states read once: the discriminator detects, the generator disguises."""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from methods.cavgan.networks import Discriminator, Generator
from methods.cavgan.separation import area_under_curve, balanced_accuracy, best_threshold
from methods.cavgan.settings import CavganSettings


class States(NamedTuple):
    """Hidden states of both classes at one layer."""

    malicious: Float[Tensor, "question width"]
    benign: Float[Tensor, "other_question width"]


class Material(NamedTuple):
    """What to learn from, and what to be judged on."""

    train: States
    dev: States


class Losses(NamedTuple):
    """Means over the batches of one epoch, in nats."""

    discriminator: float
    generator: float


class Epoch(NamedTuple):
    """The discriminator after one epoch, on the CPU, judged on dev questions."""

    number: int
    """Counted from 1."""
    discriminator: Discriminator
    threshold: float
    accuracy: float
    """Balanced accuracy at that threshold."""
    area_under_curve: float


class Trained(NamedTuple):
    """The epoch that is kept, and how training went."""

    best: Epoch
    accuracies: list[float]
    losses: list[Losses]


def train(material: Material, settings: CavganSettings, seed: int, device: torch.device) -> Trained:
    """Train both networks and keep the epoch with the best balanced accuracy on dev questions; of equals the latest.

    Random numbers come from generators of its own, so those of the process are left alone.

    Raises:
        ArithmeticError: If a loss is not a finite number, naming the epoch.
    """
    dealer = torch.Generator().manual_seed(seed)
    adversaries = _Adversaries(material.train.malicious.shape[1], settings, seed, device)
    best: Epoch | None = None
    accuracies: list[float] = []
    losses: list[Losses] = []
    for number in range(1, settings.epochs + 1):
        losses.append(adversaries.run_epoch(material.train, dealer))
        if not all(math.isfinite(loss) for loss in losses[-1]):
            raise ArithmeticError(f"the losses of CAVGAN became {tuple(losses[-1])} in epoch {number}")
        epoch = _judge(number, copy.deepcopy(adversaries.discriminator).cpu(), material.dev, settings)
        accuracies.append(epoch.accuracy)
        # Of equals the latest: it has seen the most disguises.
        if best is None or epoch.accuracy >= best.accuracy:
            best = epoch
    assert best is not None  # settings allow no fewer than one epoch
    return Trained(best, accuracies, losses)


def discriminator_loss(
    discriminator: Discriminator, states: States, disguised: Float[Tensor, "disguised width"]
) -> Float[Tensor, ""]:
    """BCE over the real states (benign 0, malicious 1), plus BCE that calls disguised states malicious.

    No gradient reaches the generator.
    """
    real = torch.cat([discriminator(states.benign), discriminator(states.malicious)])
    labels = torch.cat([real.new_zeros(len(states.benign)), real.new_ones(len(states.malicious))])
    seen_through = discriminator(disguised.detach())
    return binary_cross_entropy_with_logits(real, labels) + binary_cross_entropy_with_logits(
        seen_through, torch.ones_like(seen_through)
    )


def generator_loss(discriminator: Discriminator, disguised: Float[Tensor, "disguised width"]) -> Float[Tensor, ""]:
    """BCE that wants disguised states called benign."""
    logits = discriminator(disguised)
    return binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


@torch.no_grad()
def probabilities(discriminator: Discriminator, states: Float[Tensor, "row width"]) -> Float[Tensor, " row"]:
    """P(malicious), in double precision, where sure answers stay apart."""
    logits: Tensor = discriminator(states)
    return logits.double().sigmoid()


def _judge(number: int, discriminator: Discriminator, dev: States, settings: CavganSettings) -> Epoch:
    malicious, benign = (probabilities(discriminator, states) for states in dev)
    is_fixed = settings.threshold_rule == "fixed"
    threshold = settings.threshold if is_fixed else best_threshold(malicious, benign)
    accuracy = balanced_accuracy(malicious, benign, threshold)
    return Epoch(number, discriminator, threshold, accuracy, area_under_curve(malicious, benign))


class _Adversaries:
    """Both networks with their optimisers."""

    def __init__(self, width: int, settings: CavganSettings, seed: int, device: torch.device) -> None:
        self.settings, self.device = settings, device
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed accelerators too
            self.discriminator = Discriminator(width).to(device)
            self.generator = Generator(width, settings.generator_cap).to(device)
        self.detecting = torch.optim.Adam(self.discriminator.parameters(), lr=settings.learning_rate)
        self.hiding = torch.optim.Adam(self.generator.parameters(), lr=settings.learning_rate)

    def run_epoch(self, states: States, dealer: torch.Generator) -> Losses:
        """One step of each network a batch."""
        found = [self._step(batch, dealer) for batch in self._batches(states, dealer)]
        return Losses(*torch.tensor(found).mean(dim=0).tolist())

    def _batches(self, states: States, dealer: torch.Generator) -> Iterator[States]:
        """Equally many questions of both classes, in a new order."""
        orders = [torch.randperm(len(group), generator=dealer).split(self.settings.batch_size) for group in states]
        for malicious, benign in zip(*orders, strict=False):
            yield States(states.malicious[malicious].to(self.device), states.benign[benign].to(self.device))

    def _step(self, batch: States, dealer: torch.Generator) -> Losses:
        chosen = torch.randperm(len(batch.malicious), generator=dealer)[: self.settings.perturbed]
        target = batch.malicious[chosen.to(self.device)]
        with torch.enable_grad():
            detecting = discriminator_loss(self.discriminator, batch, target + self.generator(target))
            _descend(self.detecting, detecting)
            hiding = generator_loss(self.discriminator, target + self.generator(target))
            _descend(self.hiding, hiding)
        return Losses(detecting.item(), hiding.item())


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of one network; gradients that the other one gathered are discarded before its own step."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
