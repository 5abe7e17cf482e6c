"""Which layer's direction to use: the published rule, on dev prompts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from methods.base import ChatModel, PromptTokens
from methods.refusal_direction.direction import ablated
from methods.refusal_direction.questions import Contrast
from methods.residual import changed_outputs, next_token_logits, read_in_passes


class Candidate(NamedTuple):
    """A direction and what it does to dev prompts, in the paper's three scores."""

    place: int
    """How many tokens before the last prompt token it was read."""
    layer: int
    """Block at whose input it was read, and is added."""
    bypass: float
    """Mean refusal score of harmful prompts while it is ablated; lower is better."""
    induce: float
    """Mean refusal score of harmless prompts while it is added."""
    kl: float
    """Mean divergence of the model with it ablated from the model as it is, at the last token of harmless prompts."""


class Choice(NamedTuple):
    """The best candidate, and which conditions had to be dropped to have one."""

    best: Candidate
    dropped: tuple[str, ...]


class Bench(NamedTuple):
    """What candidates are measured on."""

    dev: Contrast
    refusals: Sequence[int]
    default: Float[Tensor, "row vocabulary"]
    """Log-probabilities of the first reply token to the harmless prompts, from the model as it is."""


def choose(candidates: Sequence[Candidate], max_kl: float) -> Choice:
    """The candidate whose ablation leaves least refusal, among those that harm little and induce refusal when added.

    The paper asks for `kl <= max_kl` and `induce >= 0`. Where none has both, the first is dropped, then the second.

    Raises:
        ArithmeticError: If no candidate has finite numbers.
    """
    finite = [one for one in candidates if all(map(math.isfinite, one))]
    if not finite:
        raise ArithmeticError("no direction of 'refusal_direction' gave finite scores")
    inducing = [one for one in finite if one.induce >= 0]
    gentle = [one for one in inducing if one.kl <= max_kl]
    dropped = () if gentle else ("kl",) if inducing else ("kl", "induce")
    return Choice(min(gentle or inducing or finite, key=lambda one: one.bypass), dropped)


def measure(model: ChatModel, bench: Bench, direction: Float[Tensor, " width"], place: int, layer: int) -> Candidate:
    """What a direction, read at a place before a layer, does to the dev prompts."""
    with ablated(model, direction):
        bypass = refusal_scores(next_token(model, bench.dev.harmful), bench.refusals)
        harmless = next_token(model, bench.dev.harmless)
    vector = direction.to(model.device, model.dtype)
    with changed_outputs([model.blocks[layer - 1]], lambda _, stream: stream + vector.to(stream.device)):
        induce = refusal_scores(next_token(model, bench.dev.harmless), bench.refusals)
    kl = (bench.default.exp() * (bench.default - harmless)).sum(dim=1)
    return Candidate(place, layer, float(bypass.mean()), float(induce.mean()), float(kl.mean()))


def refusal_scores(
    log_probabilities: Float[Tensor, "row vocabulary"], refusals: Sequence[int]
) -> Float[Tensor, " row"]:
    """Log-odds of refusal: log P - log(1 - P), P being the probability that a reply begins with one of the tokens.

    In float64; above 0, refusal is likelier than all else.
    """
    is_refusal = torch.zeros(log_probabilities.shape[1], dtype=torch.bool)
    is_refusal[list(refusals)] = True
    exact = log_probabilities.double()
    return exact[:, is_refusal].logsumexp(dim=1) - exact[:, ~is_refusal].logsumexp(dim=1)


def next_token(model: ChatModel, prompts: Sequence[PromptTokens]) -> Float[Tensor, "row vocabulary"]:
    """Log-probabilities of the first reply token, in float32 on the CPU."""
    rows = [tokens.ids for tokens in prompts]

    def read(part: Sequence[int]) -> Tensor:
        logits = next_token_logits(model, [rows[number] for number in part])
        return torch.log_softmax(logits.float(), dim=-1).cpu()

    return read_in_passes(rows, read)
