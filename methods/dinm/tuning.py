"""Step B of DINM: a few steps of Adam on the weights of the toxic region, for one instance."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy, kl_div

from methods.base import ChatModel
from methods.dinm.instances import Lesson, Sequences
from methods.dinm.locating import Region
from methods.dinm.settings import DinmSettings
from methods.metering import Meter

Tensors = Mapping[str, Tensor]
"""Tensors by the name of the weight that they are, or belong to."""


EARLY_STOP = 1e-4
"""Loss in nats below which the published code ends."""


class Tuned(NamedTuple):
    """What an instance's steps did."""

    deltas: Tensors
    """Edited minus unedited weights, in float32."""
    losses: list[float]
    """The whole loss before each step, in nats."""


def tune(
    model: ChatModel, region: Region, masks: Tensors, lesson: Lesson, settings: DinmSettings, meter: Meter
) -> Tuned:
    """Tune copies of the region's weights, in float32 whatever the model's type; the network itself is never touched.

    `masks` says which entries may change; where a name is missing, all. `settings` have their variant resolved.

    Raises:
        FloatingPointError: If the loss or a weight is not finite, naming the step.
    """
    weights = {name: weight.clone().requires_grad_() for name, weight in region.weights.items()}
    optimiser = torch.optim.Adam(weights.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    with torch.no_grad():
        unedited = predictions(model, lesson.answer)
    meter.count("editing", 1)
    losses: list[float] = []
    for step in range(1, settings.steps + 1):
        loss = _loss(model, weights, unedited, lesson, settings)
        meter.count("editing", 2)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"the loss of DINM became {losses[-1]} at step {step} of {settings.steps}")
        if settings.early_stop != "never" and losses[-1] < EARLY_STOP:
            break
        optimiser.zero_grad()
        loss.backward()
        meter.count("editing", region.backward * (2 if settings.constraint == "differentiated" else 1))
        optimiser.step()
        _keep_within(weights, region.weights, masks, settings.limit)
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise FloatingPointError(f"a weight of DINM became infinite or NaN at step {step} of {settings.steps}")
    return Tuned({name: weight.detach() - region.weights[name] for name, weight in weights.items()}, losses)


def edit_loss(model: ChatModel, refusal: Sequences, weights: Tensors) -> Float[Tensor, ""]:
    """L_e: mean negative log-likelihood of the labels, in nats."""
    return cross_entropy(predictions(model, refusal, weights), torch.tensor(refusal.labels, device=model.device))


def divergence(
    unedited: Float[Tensor, "token vocabulary"], edited: Float[Tensor, "token vocabulary"], direction: str
) -> Float[Tensor, ""]:
    """L_c: KL divergence between two rows of logits, mean over tokens, in nats."""
    before, after = unedited.log_softmax(dim=-1), edited.log_softmax(dim=-1)
    if direction == "edited_to_unedited":
        before, after = after, before
    return kl_div(after, before, reduction="batchmean", log_target=True)


def predictions(
    model: ChatModel, sequences: Sequences, weights: Tensors | None = None
) -> Float[Tensor, "token vocabulary"]:
    """Logits in float32 that predict each token after the prompt, with `weights` in place of the network's own."""
    ids = torch.tensor([[*sequences.prompt, *sequences.reply]], device=model.device)
    keep = len(sequences.reply) + 1
    ready = {name: weight.to(model.dtype) for name, weight in (weights or {}).items()}
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False, "logits_to_keep": keep}
    logits: Tensor = functional_call(model.network, ready, (), inputs).logits
    return logits[0, :-1].float()


def _loss(
    model: ChatModel, weights: Tensors, unedited: Tensor, lesson: Lesson, settings: DinmSettings
) -> Float[Tensor, ""]:
    """L: the edit loss, weighted, and the constraint.

    The constraint's window is the answer and the token after it, as many predictions as the published code takes.
    """
    with torch.set_grad_enabled(settings.constraint == "differentiated"):
        constraint = divergence(unedited, predictions(model, lesson.answer, weights), settings.divergence)
    return settings.edit_weight * edit_loss(model, lesson.refusal, weights) + constraint


@torch.no_grad()
def _keep_within(weights: Tensors, start: Tensors, masks: Tensors, limit: float) -> None:
    """Take back what was changed outside the masks, to the bit, and beyond the limit.

    Adam moves an entry by its own gradients alone, so this is the same as masking them, and holds for weight decay too.
    """
    for name, weight in weights.items():
        if limit:
            weight.copy_(start[name] + (weight - start[name]).clamp(-limit, limit))
        if name in masks:
            weight.copy_(torch.where(masks[name], weight, start[name]))
