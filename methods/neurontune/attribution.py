"""Integrated gradients of a response's likelihood by neuron activations: equations 3 and 4 of NeuronTune.

For layer l the neurons' activations move on a straight line from a baseline v_q to their value v_pq in the attacked
prompt; the score of neuron i is its change times the mean gradient along the way. The gradients of all path points come
from one batch. With the standard derivative the scores of a layer sum to the change of the objective (completeness).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from methods.base import ChatModel
from methods.neurontune.path import ROUNDING, Baseline, Path, objective
from methods.neurontune.replay import Replay, neuron_activations
from methods.neurontune.settings import NeuronTuneSettings
from methods.passes import Passes
from methods.teacher_forcing import Pair


@dataclass(frozen=True, slots=True)
class Case:
    """One sample to attribute: a prompt with its response, and where the activations come from and stand."""

    pair: Pair
    start: int
    """First position whose activations move."""
    length: int
    """How many positions move."""
    baseline: Baseline | None
    """Activations at the path's beginning, by block; None for zero."""


class Attribution(NamedTuple):
    """Scores of one sample."""

    scores: Float[Tensor, "layer neuron"]
    change: Float[Tensor, " layer"]
    """Objective at the path's end minus at its beginning."""
    forward_equivalents: float

    @property
    def completeness_error(self) -> float:
        """|sum of scores - change of objective|, summed over layers, relative to the changes' sizes."""
        missing = (self.scores.sum(dim=1) - self.change).abs().sum()
        return float(missing / self.change.abs().sum().clamp(min=ROUNDING))


def contrast_case(model: ChatModel, attacked: Pair, plain: Pair, position: str) -> Case:
    """From the plain question's activations to the attacked question's, both answered with the same response (A2)."""
    last, plain_last = len(attacked.prompt) - 1, len(plain.prompt) - 1
    length = {
        "last_prompt_token": 1,
        "question_span": _common_suffix(attacked.prompt, plain.prompt),
        "response_all": len(attacked.reply),
    }[position]
    start, plain_start = (
        (last, plain_last) if position == "response_all" else (last - length + 1, plain_last - length + 1)
    )
    baseline = neuron_activations(model, plain, slice(plain_start, plain_start + length))
    return Case(attacked, start, length, baseline)


def zero_case(pair: Pair, position: str) -> Case:
    """From zero, as in knowledge neurons; there is no plain question to share a span with."""
    length = len(pair.reply) if position == "response_all" else 1
    return Case(pair, len(pair.prompt) - 1, length, None)


def attribute(model: ChatModel, case: Case, settings: NeuronTuneSettings, passes: Passes | None = None) -> Attribution:
    """Scores of every neuron for one sample (equation 4)."""
    replay = Replay(model, case.pair, case.start)
    end = [values[: case.length].detach() for values in replay.clean.activations]
    begin = case.baseline or [torch.zeros_like(values) for values in end]
    path = Path(replay, begin, end, settings, passes or Passes(settings.tokens_per_pass))
    run = {
        "layer_joint": path.layer_by_layer,
        "all_layers_joint": path.all_layers,
        "single_neuron": path.neuron_by_neuron,
    }[settings.path]
    scores, change = run()
    return Attribution(scores, change, _clean_passes(case) + path.forward_equivalents)


def gradient_times_activation(model: ChatModel, case: Case, settings: NeuronTuneSettings) -> Attribution:
    """One gradient at the clean activations, times them: the one-shot reading of utility attribution (A10)."""
    replay = Replay(model, case.pair, case.start)
    traced = replay.traced()
    value = objective(traced.logits, replay.targets, settings.objective)
    gradients = torch.autograd.grad(value.sum(), traced.activations)
    scores = [
        (values * gradient)[0, : case.length].sum(dim=0)
        for values, gradient in zip(traced.activations, gradients, strict=True)
    ]
    whole = replay.share(replay.positions * len(scores), len(replay.targets))
    stacked = torch.stack([score.detach().float().cpu() for score in scores])
    return Attribution(stacked, stacked.sum(dim=1), _clean_passes(case) + 2.0 * whole)


def _clean_passes(case: Case) -> float:
    """One for the response and, where the path begins at another prompt, one for that."""
    return 1.0 if case.baseline is None else 2.0


def _common_suffix(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens both end with; never all of one, so that a token is left to stand on."""
    longest = min(len(one), len(other)) - 1
    return next((count for count in range(longest) if one[-1 - count] != other[-1 - count]), longest)
