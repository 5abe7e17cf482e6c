"""Telling unsafe prompts from safe ones by the way the hidden state would move on 'Sure' (section 3.2 of SCANS)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from benchmarks.base import Prompt
from methods.base import ChatModel
from methods.residual import READ_AT_ONCE
from methods.scans.vectors import read_landmarks


@dataclass(frozen=True, slots=True)
class Classifier:
    """Compares a prompt's transition with that of harmful anchors."""

    reference: Float[Tensor, "layer width"]
    """r: mean transition of the harmful anchors, after the first steered block and every later one."""
    start: str
    """Where transitions start; see the setting `transition`."""

    def similarities(self, model: ChatModel, prompts: Sequence[Prompt]) -> Float[Tensor, " prompt"]:
        """Cosine between t(q) and r, mean over layers; from -1 to 1, high for harmful prompts."""
        found = []
        for begin in range(0, len(prompts), READ_AT_ONCE):  # the states of all prompts at once could fill the memory
            transition = read_landmarks(model, prompts[begin : begin + READ_AT_ONCE], self.start).transition
            found.append(self.compare(transition))
        return torch.cat(found)

    def compare(self, transition: Float[Tensor, "prompt layers width"]) -> Float[Tensor, " prompt"]:
        """The same for transitions that were read after all blocks."""
        classified = transition[:, -len(self.reference) :]
        return torch.cosine_similarity(classified, self.reference, dim=-1).mean(dim=1)


def choose_threshold(similarities: Float[Tensor, " prompt"], is_harmful: Bool[Tensor, " prompt"]) -> float:
    """The threshold with the highest balanced accuracy.

    Candidates are the midpoints between neighbouring similarities and the lowest one (everything is unsafe). Of equal
    ones the one in the widest gap is taken, then the lowest.
    """
    ordered = similarities.double().unique()
    candidates: list[float] = [float(ordered[0]), *((ordered[1:] + ordered[:-1]) / 2).tolist()]
    gaps = [0.0, *ordered.diff().tolist()]

    def rank(place: int) -> tuple[float, float, float]:
        value = candidates[place]
        return balanced_accuracy(similarities, is_harmful, value), gaps[place], -value

    return candidates[max(range(len(candidates)), key=rank)]


def balanced_accuracy(
    similarities: Float[Tensor, " prompt"], is_harmful: Bool[Tensor, " prompt"], threshold: float
) -> float:
    """Mean of the share of harmful prompts that are called unsafe and of benign ones that are not."""
    is_unsafe = similarities.double() >= threshold
    shares = is_unsafe[is_harmful].double().mean(), (~is_unsafe[~is_harmful]).double().mean()
    return (float(shares[0]) + float(shares[1])) / 2
