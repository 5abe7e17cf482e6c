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
from methods.neurontune.replay import Replay, neuron_activations
from methods.neurontune.settings import NeuronTuneSettings
from methods.teacher_forcing import Pair

_CLEAN_PASSES = 2.0
"""One for the baseline, one for the response."""

Baseline = list[Float[Tensor, "position neuron"]]


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
        return float(missing / self.change.abs().sum().clamp(min=1e-12))


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


def attribute(model: ChatModel, case: Case, settings: NeuronTuneSettings) -> Attribution:
    """Scores of every neuron for one sample (equation 4)."""
    replay = Replay(model, case.pair, case.start)
    end = [values[: case.length].detach() for values in replay.clean.activations]
    begin = case.baseline or [torch.zeros_like(values) for values in end]
    path = _Path(replay, begin, end, settings)
    run = {
        "layer_joint": path.layer_by_layer,
        "all_layers_joint": path.all_layers,
        "single_neuron": path.neuron_by_neuron,
    }[settings.path]
    scores, change = run()
    return Attribution(scores, change, _CLEAN_PASSES + path.forward_equivalents)


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
    stacked = torch.stack([score.detach().float().cpu() for score in scores])
    return Attribution(stacked, stacked.sum(dim=1), _CLEAN_PASSES + 2.0 * replay.share_of_sequence)


def objective(logits: Float[Tensor, "row target vocabulary"], targets: Tensor, kind: str) -> Float[Tensor, " row"]:
    """What is differentiated (A3), one number a row.

    For the product of probabilities it is the sum of logs: `_point_weights` turns its gradient into the product's.
    """
    kept = logits[:, :1] if kind == "first_token_probability" else logits
    log_probability = torch.log_softmax(kept.float(), dim=-1)
    chosen = log_probability.gather(2, targets[None, : kept.shape[1], None].expand(kept.shape[0], -1, 1)).squeeze(2)
    if kind == "product_probability":
        return chosen.sum(dim=1)
    mean = chosen.mean(dim=1)
    return mean if kind == "mean_log_probability" else mean.exp()


class _Path:
    """The straight line between two sets of activations, and the ways to walk it (A1)."""

    def __init__(self, replay: Replay, begin: Baseline, end: Baseline, settings: NeuronTuneSettings) -> None:
        self.replay, self.begin, self.end, self.settings = replay, begin, end, settings
        self.forward_equivalents = 0.0
        self._reference = self._largest_end() if settings.objective == "product_probability" else 0.0

    def layer_by_layer(self) -> tuple[Tensor, Tensor]:
        """All neurons of one layer move together; the other layers react.

        Layers whose scores miss the objective's change are walked again with four times the points: a baseline of zero
        can bend the objective within the first hundredth of the path.
        """
        steps = [self.settings.path_steps] * len(self.end)
        walks = [self._walk((layer,), count) for layer, count in enumerate(steps)]
        for _ in range(self.settings.path_refinements):
            coarse = self._incomplete(walks)
            for layer in coarse:
                steps[layer] *= 4
                walks[layer] = self._walk((layer,), steps[layer])
        return torch.stack([scores[0] for scores, _ in walks]), torch.stack([change for _, change in walks])

    def all_layers(self) -> tuple[Tensor, Tensor]:
        """All neurons of all layers move together. The change is the same for all and is shared out evenly."""
        scores, change = self._walk(tuple(range(len(self.end))), self.settings.path_steps)
        return torch.stack(scores), change.expand(len(scores)) / len(scores)

    def neuron_by_neuron(self) -> tuple[Tensor, Tensor]:
        """Equation 4 to the letter: one neuron moves, all others keep their value. For toy models only."""
        steps = self.settings.path_steps
        found = [
            [self._walk((layer,), steps, neuron) for neuron in range(self.end[layer].shape[1])]
            for layer in range(len(self.end))
        ]
        scores = [torch.stack([walk.scores[0][index] for index, walk in enumerate(walks)]) for walks in found]
        return torch.stack(scores), torch.stack([torch.stack([walk.change for walk in walks]).sum() for walks in found])

    def _incomplete(self, walks: list["_Walk"]) -> list[int]:
        """Layers with more than their share of the tolerated error; none where completeness does not hold."""
        if self.settings.ircan_alpha_weight:
            return []
        whole = sum(float(walk.change.abs()) for walk in walks)
        tolerated = self.settings.completeness_tolerance * whole / len(walks)
        errors = [abs(float(walk.scores[0].sum() - walk.change)) for walk in walks]
        return [layer for layer, error in enumerate(errors) if error > tolerated]

    def _walk(self, layers: tuple[int, ...], steps: int, neuron: int | None = None) -> "_Walk":
        """Scores of the layers whose neurons move (all of them, or one), and how much the objective changed."""
        totals = {layer: torch.zeros_like(self.end[layer], dtype=torch.float32) for layer in layers}
        for points in self._points(steps):
            rows = {layer: self._rows(layer, points, neuron).requires_grad_() for layer in layers}
            value = objective(self.replay.logits(layers[0], rows), self.replay.targets, self.settings.objective)
            gradients = torch.autograd.grad(value.sum(), list(rows.values()))
            weights = self._weights(points, value.detach()) / steps
            for layer, gradient in zip(layers, gradients, strict=True):
                totals[layer] += torch.einsum("r,rpn->pn", weights, gradient.float())
            self._count(layers, 2 * len(points))
        moved = [(totals[layer] * (self.end[layer] - self.begin[layer]).float()).sum(dim=0).cpu() for layer in layers]
        return _Walk(moved, self._change(layers, neuron))

    def _points(self, steps: int) -> tuple[Tensor, ...]:
        """Points on the path in (0, 1], as many at a time as one pass may hold."""
        offset = 0.5 if self.settings.path_rule == "midpoint" else 0.0
        points = (torch.arange(1, steps + 1, device=self.end[0].device) - offset) / steps
        return torch.split(points, self.settings.rows_per_pass)

    def _rows(self, layer: int, points: Tensor, neuron: int | None) -> Float[Tensor, "row position neuron"]:
        begin, end = self.begin[layer].float(), self.end[layer].float()
        if neuron is not None:
            begin = torch.where(torch.arange(end.shape[1], device=end.device) == neuron, begin, end)
        return (begin + points[:, None, None] * (end - begin)).to(self.end[layer].dtype)

    def _weights(self, points: Float[Tensor, " point"], heights: Float[Tensor, " point"]) -> Float[Tensor, " point"]:
        """How much each point's gradient counts.

        The product of probabilities has gradient P times that of log P, so its points weigh by P, here relative to the
        largest P at either end of any layer's path: a factor common to all neurons.
        """
        weights = torch.ones_like(heights)
        if self.settings.objective == "product_probability":
            weights = (heights - self._reference).exp()
        return weights * points if self.settings.ircan_alpha_weight else weights

    @torch.no_grad()
    def _ends(self, layers: tuple[int, ...], neuron: int | None) -> Float[Tensor, " end"]:
        """The objective at the path's beginning and at its end."""
        ends = torch.tensor([0.0, 1.0], device=self.end[0].device)
        rows = {layer: self._rows(layer, ends, neuron) for layer in layers}
        self._count(layers, 2)
        return objective(self.replay.logits(layers[0], rows), self.replay.targets, self.settings.objective)

    def _largest_end(self) -> float:
        return max(float(self._ends((layer,), None).max()) for layer in range(len(self.end)))

    def _change(self, layers: tuple[int, ...], neuron: int | None) -> Tensor:
        values = self._ends(layers, neuron)
        if self.settings.objective == "product_probability":
            values = (values - self._reference).exp()
        change: Tensor = values[1] - values[0]
        return change.cpu()

    def _count(self, layers: tuple[int, ...], passes: int) -> None:
        depth = len(self.end)
        self.forward_equivalents += passes * self.replay.share_of_sequence * (depth - layers[0]) / depth


class _Walk(NamedTuple):
    """What one path gave."""

    scores: list[Float[Tensor, " neuron"]]
    """One entry a moving layer."""
    change: Float[Tensor, ""]


def _common_suffix(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens both end with; never all of one, so that a token is left to stand on."""
    longest = min(len(one), len(other)) - 1
    return next((count for count in range(longest) if one[-1 - count] != other[-1 - count]), longest)
