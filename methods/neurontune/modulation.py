"""Adaptive neuron modulation: algorithm 1 of NeuronTune, MAML over the neurons' factors."""

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from methods.base import ChatModel, Progress
from methods.metering import Meter
from methods.neurontune.outer import Outer, make_outer
from methods.neurontune.pinpointing import Selection
from methods.neurontune.scaling import Scaling, scaled
from methods.neurontune.settings import NeuronTuneSettings
from methods.neurontune.tuning_pairs import SafetyPair, TuningPairs
from methods.passes import Passes
from methods.teacher_forcing import Pair, collate, mean_by_row, negative_log_likelihood, reply_logits

P = TypeVar("P", SafetyPair, Pair)


class Theta(NamedTuple):
    """Factors of both sets."""

    safety: Float[Tensor, " safety"]
    utility: Float[Tensor, " utility"]


class Tuned(NamedTuple):
    """The factors with the lowest joint loss on dev prompts, and that loss after every epoch, the start first."""

    theta: Theta
    validation: list[float]
    best_epoch: int
    """0 where no epoch lowered the loss, so that the factors are those of the start."""


class Modulation:
    """Algorithm 1 for one model and one selection of neurons."""

    def __init__(
        self,
        model: ChatModel,
        selection: Selection,
        pairs: TuningPairs,
        settings: NeuronTuneSettings,
        meter: Meter,
        passes: Passes,
    ) -> None:
        self.model, self.selection, self.pairs, self.settings = model, selection, pairs, settings
        self.meter, self.passes = meter, passes

    def start(self) -> Theta:
        """Lines 1 to 6: an enhancing factor for safety neurons, a suppressing one for utility neurons."""
        counts = len(self.selection.safety.block), len(self.selection.utility.block)
        initial = self.settings.safety_scale, self.settings.utility_scale
        filled = (
            torch.full((count,), scale, device=self.model.device) for count, scale in zip(counts, initial, strict=True)
        )
        return Theta(*filled)

    def run(self, rng: random.Random, progress: Progress) -> Tuned:
        """Lines 7 to 24.

        Raises:
            FloatingPointError: If a loss is not a finite number, naming the epoch.
        """
        theta = Theta(*(factors.requires_grad_() for factors in self.start()))
        outer = make_outer(theta, self.settings)
        best, best_epoch = Theta(*(factors.detach().clone() for factors in theta)), 0
        validation = [self._validate(best, 0)]
        for epoch in range(1, self.settings.epochs + 1):
            progress("adapting", epoch - 1, self.settings.epochs)
            self._meta_step(theta, outer, rng)
            now = Theta(*(factors.detach().clone() for factors in theta))
            validation.append(self._validate(now, epoch))
            if validation[-1] <= min(validation):
                best, best_epoch = now, epoch
        progress("adapting", self.settings.epochs, self.settings.epochs)
        return Tuned(best, validation, best_epoch)

    def _meta_step(self, theta: Theta, outer: Outer, rng: random.Random) -> None:
        """One epoch: adapt a copy on the local sets, then move the meta factors (lines 8 to 21, B6)."""
        second_order = self.settings.meta_gradient == "second_order"
        kernels = sdpa_kernel(SDPBackend.MATH) if second_order else nullcontext()
        with kernels:
            adapted = self._adapt(theta, second_order)
            if self.settings.meta_gradient == "reptile":
                _move_towards(theta, adapted, self.settings.meta_rate)
            else:
                outer.step(theta, self._joint_gradient(theta, adapted, rng))
        with torch.no_grad():
            for factors in theta:
                factors.clamp_(0, self.settings.scale_limit)

    def _joint_gradient(self, theta: Theta, adapted: Theta, rng: random.Random) -> list[Tensor]:
        """Lines 8 and 18 to 20: joint loss at the adapted factors, by them or, in second order, by the meta factors."""
        size, weight = self.settings.batch_size, self.settings.joint_weight
        safety = rng.sample(self.pairs.global_safety, min(size, len(self.pairs.global_safety)))
        utility = rng.sample(self.pairs.global_utility, min(size, len(self.pairs.global_utility)))
        by = theta if self.settings.meta_gradient == "second_order" else adapted
        by_safety = self._gradients(self._safety_losses, adapted, safety, by)
        by_utility = self._gradients(self._utility_losses, adapted, utility, by)
        return [weight * one + (1 - weight) * other for one, other in zip(by_safety, by_utility, strict=True)]

    def _adapt(self, theta: Theta, keep_graph: bool) -> Theta:
        """Lines 9 to 17: safety factors step on the safety loss, then utility factors on the utility loss (B5)."""
        adapted = theta if keep_graph else Theta(*(factors.detach().clone().requires_grad_() for factors in theta))
        rate, sign = self.settings.inner_rate, self.settings.utility_inner_sign
        for _ in range(self.settings.inner_steps):
            # Each gradient is by a copy of its own: in second order the one set already depends on the other, and by
            # the factors themselves the gradient would run through that too.
            copy = adapted.safety.clone()
            (gradient,) = self._gradients(
                self._safety_losses, Theta(copy, adapted.utility), self.pairs.local_safety, (copy,), keep_graph
            )
            adapted = Theta(self._step(adapted.safety, gradient, -rate), adapted.utility)
            copy = adapted.utility.clone()
            (gradient,) = self._gradients(
                self._utility_losses, Theta(adapted.safety, copy), self.pairs.local_utility, (copy,), keep_graph
            )
            adapted = Theta(adapted.safety, self._step(adapted.utility, gradient, sign * rate))
            if not keep_graph:
                adapted = Theta(*(factors.detach().requires_grad_() for factors in adapted))
        return adapted

    def _step(self, factors: Tensor, gradient: Tensor, rate: float) -> Tensor:
        """One clipped gradient step of one set of factors."""
        clipped = gradient * (self.settings.inner_clip / gradient.norm().clamp(min=self.settings.inner_clip))
        moved: Tensor = factors + rate * clipped
        return moved.clamp(0, self.settings.scale_limit)

    def _gradients(
        self,
        losses: Callable[[Theta, Sequence[P]], Tensor],
        theta: Theta,
        pairs: Sequence[P],
        by: Sequence[Tensor],
        keep_graph: bool = False,
    ) -> list[Tensor]:
        """Gradients of the mean loss, a few rows at a time; zero for a set that has no neuron in it."""
        second_order = self.settings.meta_gradient == "second_order"
        total = [torch.zeros_like(factors) for factors in by]

        def gradients(part: Sequence[P]) -> tuple[Tensor | None, ...]:
            loss = losses(theta, part).sum() / len(pairs)
            return torch.autograd.grad(
                loss, list(by), create_graph=keep_graph, retain_graph=second_order, allow_unused=True
            )

        for found in self.passes.each(pairs, _tokens, gradients):
            total = [so_far if part is None else so_far + part for so_far, part in zip(total, found, strict=True)]
        return total

    def _safety_losses(self, theta: Theta, pairs: Sequence[SafetyPair]) -> Float[Tensor, " row"]:
        """EvalSafety (B2): negative log-likelihood of safe responses, or its margin over unsafe ones'."""
        losses = self._likelihood_losses(theta, [pair.safe for pair in pairs])
        if self.settings.safety_loss == "margin":
            losses = losses - self._likelihood_losses(theta, [pair.unsafe for pair in pairs if pair.unsafe])
        return losses

    def _utility_losses(self, theta: Theta, pairs: Sequence[Pair]) -> Float[Tensor, " row"]:
        """EvalUtility (B2): negative log-likelihood of useful answers, or divergence from the unmodified model."""
        if self.settings.utility_loss == "nll":
            return self._likelihood_losses(theta, pairs)
        batch = collate(pairs, self.model.device)
        self._count(len(pairs))
        with torch.no_grad():
            unmodified = torch.log_softmax(reply_logits(self.model, batch).float(), dim=-1)
            self._count(len(pairs))
        with scaled(self.model, self._scaling(theta)):
            modified = torch.log_softmax(reply_logits(self.model, batch).float(), dim=-1)
        return mean_by_row((unmodified.exp() * (unmodified - modified)).sum(dim=-1), batch)

    def _likelihood_losses(self, theta: Theta, pairs: Sequence[Pair]) -> Float[Tensor, " row"]:
        batch = collate(pairs, self.model.device)
        self._count(len(pairs))
        with scaled(self.model, self._scaling(theta)):
            return negative_log_likelihood(reply_logits(self.model, batch), batch)

    @torch.no_grad()
    def _validate(self, theta: Theta, epoch: int) -> float:
        weight = self.settings.joint_weight
        safety = self._mean_loss(self._safety_losses, theta, self.pairs.validation_safety)
        utility = self._mean_loss(self._utility_losses, theta, self.pairs.validation_utility)
        loss = weight * safety + (1 - weight) * utility
        if loss != loss or loss in (float("inf"), float("-inf")):
            raise FloatingPointError(f"the joint loss became {loss} after epoch {epoch} of the adaptive stage")
        return loss

    def _mean_loss(self, losses: Callable[[Theta, Sequence[P]], Tensor], theta: Theta, pairs: Sequence[P]) -> float:
        found = self.passes.each(pairs, _tokens, lambda part: losses(theta, part))
        return float(torch.cat(list(found)).mean())

    def _scaling(self, theta: Theta) -> Scaling:
        return Scaling(self.selection.safety, self.selection.utility, theta.safety, theta.utility)

    def _count(self, rows: int) -> None:
        """A pass that will be differentiated counts twice."""
        self.meter.count("adaptation", 2 * rows if torch.is_grad_enabled() else rows)


def _tokens(pair: SafetyPair | Pair) -> int:
    return pair.tokens


def _move_towards(theta: Theta, adapted: Theta, share: float) -> None:
    with torch.no_grad():
        for factors, goal in zip(theta, adapted, strict=True):
            factors += share * (goal - factors)
