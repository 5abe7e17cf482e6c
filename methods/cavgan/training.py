"""Adversarial training on hidden states read once: the discriminator detects, the generator disguises."""

import copy
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from methods.cavgan.networks import Discriminator, Generator
from methods.cavgan.separation import area_under_curve, balanced_accuracy, best_threshold, margin
from methods.cavgan.settings import CavganSettings


class States(NamedTuple):
    """Hidden states of both classes at one layer."""

    malicious: Float[Tensor, "question width"]
    benign: Float[Tensor, "other_question width"]


class Judged(NamedTuple):
    """Hidden states at one layer that a detector is judged on."""

    malicious: Float[Tensor, "question width"]
    benign: Mapping[str, Float[Tensor, "_ width"]]
    """By kind; the kind that is told apart worst counts."""


class Material(NamedTuple):
    """What to learn from, and what to be judged on."""

    train: States
    dev: Judged


class Losses(NamedTuple):
    """Means over the batches of one epoch, in nats."""

    discriminator: float
    generator: float


class Verdict(NamedTuple):
    """How well a detector tells malicious from benign questions, of the kind of benign ones that is hardest for it."""

    area_under_curve: float
    accuracy: float
    """Balanced accuracy at the threshold."""
    margin: float
    """How far the log-odds of both classes are apart, in standard deviations."""


class Epoch(NamedTuple):
    """The discriminator after one epoch, on the CPU, judged on dev questions."""

    discriminator: Discriminator
    threshold: float
    verdict: Verdict
    losses: Losses


def train(material: Material, settings: CavganSettings, seed: int, device: torch.device) -> list[Epoch]:
    """Train both networks, and judge the discriminator after every epoch.

    Random numbers come from generators of its own, so those of the process are left alone.

    Raises:
        ArithmeticError: If a loss is not a finite number, naming the epoch.
    """
    dealer = torch.Generator().manual_seed(seed)
    states = dealt(material.train, dealer) if settings.labels == "shuffled_labels" else material.train
    adversaries = _Adversaries(states.malicious.shape[1], settings, seed, device)
    epochs: list[Epoch] = []
    for number in range(1, settings.epochs + 1):
        losses = adversaries.run_epoch(states, dealer)
        if not all(math.isfinite(loss) for loss in losses):
            raise ArithmeticError(f"the losses of CAVGAN became {tuple(losses)} in epoch {number}")
        epochs.append(_judge(copy.deepcopy(adversaries.discriminator).cpu(), material.dev, settings, losses))
    return epochs


def dealt(states: States, dealer: torch.Generator) -> States:
    """Half of either class, drawn by lot, in the place of as many of the other: labels that tell nothing of malice."""
    malicious, benign = (group[torch.randperm(len(group), generator=dealer)] for group in states)
    half = min(len(malicious), len(benign)) // 2
    return States(torch.cat([malicious[half:], benign[:half]]), torch.cat([benign[half:], malicious[:half]]))


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


def probabilities(discriminator: Discriminator, states: Float[Tensor, "row width"]) -> Float[Tensor, " row"]:
    """P(malicious), in double precision, where sure answers stay apart."""
    return log_odds(discriminator, states).sigmoid()


@torch.no_grad()
def log_odds(discriminator: Discriminator, states: Float[Tensor, "row width"]) -> Float[Tensor, " row"]:
    """Of P(malicious), in double precision."""
    logits: Tensor = discriminator(states)
    return logits.double()


def _judge(discriminator: Discriminator, dev: Judged, settings: CavganSettings, losses: Losses) -> Epoch:
    malicious = log_odds(discriminator, dev.malicious)
    kinds = [log_odds(discriminator, states) for states in dev.benign.values()]
    chances = [odds.sigmoid() for odds in kinds]
    is_fixed = settings.threshold_rule == "fixed"
    threshold = settings.threshold if is_fixed else best_threshold(malicious.sigmoid(), *chances)
    verdict = Verdict(
        min(area_under_curve(malicious, benign) for benign in kinds),
        min(balanced_accuracy(malicious.sigmoid(), benign, threshold) for benign in chances),
        min(margin(malicious, benign) for benign in kinds),
    )
    return Epoch(discriminator, threshold, verdict, losses)


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
