"""From scores of single samples to the two neuron sets: joining samples, top-k, and the overlap rule."""

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.errors import UserError

_VOTE_SHARE, _VOTE_TOP = 0.1, 20
T = TypeVar("T")


class Neurons(NamedTuple):
    """Some neurons, strongest first."""

    block: Int[Tensor, " neuron"]
    """Index of its block."""
    place: Int[Tensor, " neuron"]
    """Its place among the block's neurons."""


class Selection(NamedTuple):
    """The two sets, and how many neurons were in both before the overlap rule."""

    safety: Neurons
    utility: Neurons
    contested: int


def resolve_count(name: str, value: float, total: int) -> int:
    """A count as given, or that share of `total` when it is below 1; of the smallest share still one neuron.

    Raises:
        UserError: If it is neither a whole number nor a share.
    """
    if value < 1:
        return max(1, round(value * total)) if value else 0
    if value != int(value):
        raise UserError(f"Setting '{name}' of 'neurontune' is {value:g}; give a whole number, or a share below 1.")
    return int(value)


def join(scores: Float[Tensor, "sample layer neuron"], aggregation: str, sign: str) -> Float[Tensor, "layer neuron"]:
    """One score a neuron from the scores of all samples (A7, A8)."""
    signed = scores.abs() if sign == "absolute" else scores
    normalised = signed / signed.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-30)
    if aggregation == "mean":
        return signed.mean(dim=0)
    if aggregation == "mean_rank":
        flat = signed.flatten(1)
        return flat.argsort(dim=1).argsort(dim=1).float().mean(dim=0).view(scores.shape[1:])
    if aggregation == "vote":
        # The mean of normalised scores lies within [-1, 1]: halved, it orders neurons of equally many votes.
        return _votes(normalised) + normalised.mean(dim=0) / 2.001
    return normalised.mean(dim=0)


def select(
    safety: Float[Tensor, "layer neuron"],
    utility: Float[Tensor, "layer neuron"],
    counts: tuple[int, int],
    overlap: str,
    refill: bool,
) -> Selection:
    """The top safety and utility neurons; what is in both goes by the overlap rule (A11), gaps are refilled (A12)."""
    width = safety.shape[1]
    orders = [scores.flatten().argsort(descending=True, stable=True).tolist() for scores in (safety, utility)]
    tops = [order[:count] for order, count in zip(orders, counts, strict=True)]
    contested = set(tops[0]) & set(tops[1])
    if overlap == "both":
        return Selection(_neurons(tops[0], width), _neurons(tops[1], width), len(contested))
    sizes = [scores / scores.abs().max().clamp(min=1e-30) for scores in (safety, utility)]
    stronger = (sizes[0] >= sizes[1]).flatten()
    safety_keeps = {neuron for neuron in contested if overlap == "larger_score" and stronger[neuron]}
    utility_keeps = {neuron for neuron in contested if overlap == "larger_score" and not stronger[neuron]}
    kept = [
        [neuron for neuron in tops[0] if neuron not in contested or neuron in safety_keeps],
        [neuron for neuron in tops[1] if neuron not in contested or neuron in utility_keeps],
    ]
    if refill:
        taken = {*tops[0], *tops[1]}
        for chosen, order, count in zip(kept, orders, counts, strict=True):
            spare = [neuron for neuron in order if neuron not in taken][: count - len(chosen)]
            chosen.extend(spare)
            taken.update(spare)
    return Selection(_neurons(kept[0], width), _neurons(kept[1], width), len(contested))


def contributions(scores: Float[Tensor, "layer neuron"], neurons: Neurons) -> list[float | None]:
    """Mean score of the chosen neurons of every layer, as figure 3 draws it; None where none was chosen."""
    chosen = scores[neurons.block, neurons.place]
    by_layer = (chosen[neurons.block == layer] for layer in range(len(scores)))
    return [round(float(layer.mean()), 8) if len(layer) else None for layer in by_layer]


def select_at_random(layers: int, width: int, counts: tuple[int, int], generator: torch.Generator) -> Selection:
    """As many neurons from anywhere, no neuron twice: the ablation without pinpointing (B10)."""
    order = torch.randperm(layers * width, generator=generator).tolist()
    safety, utility = order[: counts[0]], order[counts[0] : counts[0] + counts[1]]
    return Selection(_neurons(safety, width), _neurons(utility, width), 0)


def shuffle_labels(safety: Sequence[T], utility: Sequence[T], seed: int) -> tuple[list[T], list[T]]:
    """As many samples in either list, drawn by lot from both: all that selection does, but for what the labels tell.

    The lot is apart from the chance of everything else, so that a control meets the data that the true labels would.
    """
    pooled = [*safety, *utility]
    random.Random(f"shuffled labels {seed}").shuffle(pooled)
    return pooled[: len(safety)], pooled[len(safety) :]


def _votes(normalised: Float[Tensor, "sample layer neuron"]) -> Float[Tensor, "layer neuron"]:
    """IRCAN's count: in how many samples a neuron is in the top 20 and reaches a tenth of the largest score."""
    flat = normalised.flatten(1)
    top = flat.topk(min(_VOTE_TOP, flat.shape[1]), dim=1)
    votes = torch.zeros_like(flat).scatter(1, top.indices, (top.values >= _VOTE_SHARE).float())
    return votes.sum(dim=0).view(normalised.shape[1:])


def _neurons(flat: list[int], width: int) -> Neurons:
    places = torch.tensor(flat, dtype=torch.long)
    return Neurons(places // width, places % width)
