"""Which layer's direction to use: the published rule, on dev prompts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from benchmarks.errors import UserError
from methods.base import ChatModel, PromptTokens
from methods.refusal_direction.direction import ablated
from methods.refusal_direction.questions import Contrast
from methods.residual import changed_outputs, next_token_logits, read_in_passes


class Candidate(NamedTuple):
    """A direction and what it does to dev prompts: the paper's three scores, and the harm that serving it does."""

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
    served_kl: float
    """The same of the model as it is served: where it is added, without the part that is about refusing or not."""


class Bench(NamedTuple):
    """What candidates are measured on, and how the chosen one is served."""

    dev: Contrast
    refusals: Sequence[int]
    default: Float[Tensor, "row vocabulary"]
    """Log-probabilities of the first reply token to the harmless prompts, from the model as it is."""
    coefficient: float | None
    """How many times the direction is added when it is served; None where it is ablated."""

    @property
    def is_against_refusal(self) -> bool:
        """Whether what is served takes refusals away."""
        return self.coefficient is None or self.coefficient < 0

    @property
    def passes(self) -> int:
        """Forward equivalents of measuring one candidate."""
        is_turned = self.coefficient is not None and self.coefficient < 0
        return len(self.dev.harmful) + (3 if is_turned else 2) * len(self.dev.harmless)

    def part(self, share: float) -> "Bench":
        """The first prompts of each intent, one at least."""
        harmful, harmless = (prompts[: math.ceil(share * len(prompts))] for prompts in self.dev)
        return self._replace(dev=Contrast(harmful, harmless), default=self.default[: len(harmless)])


def preference(one: Candidate, max_kl: float, *, is_against_refusal: bool) -> tuple[float, float]:
    """The higher, the better: the paper's rule, and what comes closest to it where no candidate fulfils it.

    The paper asks for `kl <= max_kl` and `induce >= 0`, and takes the least bypass. Next come those that do little harm
    as they are served, and of these the one nearest to inducing refusal, or with least bypass where refusals are taken
    away. Those that harm come last.
    """
    if not all(map(math.isfinite, one)):
        return (-1.0, 0.0)
    if one.kl <= max_kl and one.induce >= 0:
        return (2.0, -one.bypass)
    if one.served_kl <= max_kl:
        return (1.0, -one.bypass if is_against_refusal else one.induce)
    return (0.0, -one.served_kl)


def choose(candidates: Sequence[Candidate], max_kl: float, *, is_against_refusal: bool) -> Candidate:
    """The preferred candidate; of equals the first.

    Raises:
        ArithmeticError: If no candidate has finite numbers.
        UserError: If every candidate harms the model more than `max_kl` allows.
    """

    def rank(one: Candidate) -> tuple[float, float]:
        return preference(one, max_kl, is_against_refusal=is_against_refusal)

    best = max(candidates, key=rank)
    if rank(best) < (0.0, -math.inf):
        raise ArithmeticError("no direction of 'refusal_direction' gave finite scores")
    if rank(best) < (1.0, -math.inf):
        raise UserError(
            "No direction of 'refusal_direction' leaves the model fit for use: on harmless dev prompts the least "
            f"divergence is {best.served_kl:.3g} nats, before block {best.layer}, and max_kl is {max_kl:g}. "
            "Give a larger max_kl, a layer, or for operation=add a coefficient nearer to 0."
        )
    return best


def shortfalls(best: Candidate, max_kl: float) -> list[str]:
    """What the chosen candidate lacks of the paper's conditions, one sentence each."""
    found = []
    if best.induce < 0:
        found.append(
            f"no direction induces refusal on harmless dev prompts: the log-odds under the chosen one are "
            f"{best.induce:.1f}, before block {best.layer}."
        )
    if best.kl > max_kl:
        found.append(
            f"refusal is not all that the chosen direction carries: without it harmless dev prompts diverge by "
            f"{best.kl:.3g} nats, more than {max_kl:g}."
        )
    return found


def measure(model: ChatModel, bench: Bench, direction: Float[Tensor, " width"], place: int, layer: int) -> Candidate:
    """What a direction, read at a place before a layer, does to the dev prompts."""

    def added(coefficient: float) -> Float[Tensor, "row vocabulary"]:
        vector = (coefficient * direction).to(model.device, model.dtype)
        with changed_outputs([model.blocks[layer - 1]], lambda _, stream: stream + vector.to(stream.device)):
            return next_token(model, bench.dev.harmless)

    given = bench.coefficient
    with ablated(model, direction):
        bypass = refusal_scores(next_token(model, bench.dev.harmful), bench.refusals)
        left = next_token(model, bench.dev.harmless)
    towards = added(1 if given is None else abs(given))
    induce = refusal_scores(towards, bench.refusals)
    kl = served_kl = divergences(bench.default, left)
    if given is not None:
        served = added(given) if given < 0 else towards
        served_kl = divergences(bench.default, served) - refusal_divergences(bench.default, served, bench.refusals)
    return Candidate(place, layer, *(float(score.mean()) for score in (bypass, induce, kl, served_kl)))


def divergences(
    default: Float[Tensor, "row vocabulary"], other: Float[Tensor, "row vocabulary"]
) -> Float[Tensor, " row"]:
    """Kullback-Leibler divergence of `other` from `default`, in nats and float64."""
    exact = default.double()
    return (exact.exp() * (exact - other.double())).sum(dim=1)


def refusal_divergences(
    default: Float[Tensor, "row vocabulary"], other: Float[Tensor, "row vocabulary"], refusals: Sequence[int]
) -> Float[Tensor, " row"]:
    """The part of the divergence that is about whether the reply begins with a refusal.

    By the chain rule the rest is that of the first token given that, and of the kind of harm that adding must not do.
    """
    mine, others = (refusal_scores(one, refusals) for one in (default, other))
    pairs = ((logsigmoid(sign * mine), logsigmoid(sign * others)) for sign in (1, -1))
    return torch.stack([one.exp() * (one - another) for one, another in pairs]).sum(dim=0)


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
