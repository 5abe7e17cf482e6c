"""The straight line between two sets of activations, and the integral of gradients along it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from methods.neurontune.replay import Activations, Replay
from methods.neurontune.settings import NeuronTuneSettings
from methods.passes import Passes

R = TypeVar("R")
Baseline = list[Float[Tensor, "position neuron"]]

ROUNDING = 1e-5
"""Changes of an objective below this are taken for float32's rounding."""

_BENT_PIECES = 8
"""Into so many pieces' worth a layer's tolerated error is shared: the path bends in few places."""


class Walk(NamedTuple):
    """What one path gave."""

    scores: list[Float[Tensor, " neuron"]]
    """One entry a moving layer."""
    change: Float[Tensor, ""]
    """Objective at the path's end minus at its beginning."""


class Slopes(NamedTuple):
    """What one pass over some intervals gave."""

    gradients: dict[int, Float[Tensor, "interval position neuron"]]
    """By layer; each times its interval's width and weight."""
    heights: Float[Tensor, " interval"]
    """The objective where the gradient was taken."""


class Intervals(NamedTuple):
    """Pieces of the path; the gradient of each is taken at one point."""

    left: Float[Tensor, " interval"]
    right: Float[Tensor, " interval"]

    @property
    def width(self) -> Float[Tensor, " interval"]:
        """Right minus left."""
        return self.right - self.left

    def of(self, chosen: Tensor) -> "Intervals":
        """Some of them."""
        return Intervals(self.left[chosen], self.right[chosen])

    def quartered(self) -> "Intervals":
        """Each cut into four; neighbours share their edges to the bit."""
        inner = self.left[:, None] + self.width[:, None] * torch.tensor([0.25, 0.5, 0.75], device=self.left.device)
        edges = torch.cat([self.left[:, None], inner, self.right[:, None]], dim=1)
        return Intervals(edges[:, :-1].flatten(), edges[:, 1:].flatten())


class Path:
    """Activations on their way, and the ways to walk it (A1)."""

    def __init__(
        self, replay: Replay, begin: Baseline, end: Baseline, settings: NeuronTuneSettings, passes: Passes
    ) -> None:
        self.replay, self.begin, self.end, self.settings, self.passes = replay, begin, end, settings, passes
        self.forward_equivalents = 0.0
        self._clean = objective(replay.clean.logits, replay.targets, settings.objective)
        self._reference = self._largest_end() if settings.objective == "product_probability" else 0.0

    def layer_by_layer(self) -> tuple[Tensor, Tensor]:
        """All neurons of one layer move together; the other layers react.

        A layer whose scores miss the objective's change is walked again with more points where they miss it: a baseline
        of zero can bend the objective within the first hundredth of the path.
        """
        walks = [self._walk((layer,)) for layer in range(len(self.end))]
        if self.settings.path_refinements and not self.settings.ircan_alpha_weight:
            whole = max(sum(float(walk.change.abs()) for walk in walks), ROUNDING)
            tolerated = self.settings.completeness_tolerance * whole / len(walks)
            walks = [
                walk if abs(float(walk.scores[0].sum() - walk.change)) <= tolerated else self._refined(layer, tolerated)
                for layer, walk in enumerate(walks)
            ]
        return torch.stack([scores[0] for scores, _ in walks]), torch.stack([change for _, change in walks])

    def all_layers(self) -> tuple[Tensor, Tensor]:
        """All neurons of all layers move together. The change is the same for all and is shared out evenly."""
        scores, change = self._walk(tuple(range(len(self.end))))
        return torch.stack(scores), change.expand(len(scores)) / len(scores)

    def neuron_by_neuron(self) -> tuple[Tensor, Tensor]:
        """Equation 4 to the letter: one neuron moves, all others keep their value. For toy models only."""
        found = [
            [self._walk((layer,), neuron) for neuron in range(self.end[layer].shape[1])]
            for layer in range(len(self.end))
        ]
        scores = [torch.stack([walk.scores[0][index] for index, walk in enumerate(walks)]) for walks in found]
        return torch.stack(scores), torch.stack([torch.stack([walk.change for walk in walks]).sum() for walks in found])

    def _walk(self, layers: tuple[int, ...], neuron: int | None = None) -> Walk:
        """Scores of the layers whose neurons move (all of them, or one), and how much the objective changed."""
        totals = {layer: torch.zeros_like(self.end[layer], dtype=torch.float32) for layer in layers}
        beginning = torch.zeros(1, device=self.end[0].device)
        heights: list[Tensor] = []
        # An interval of no width at the beginning rides along: its height is wanted, its gradient weighs nothing.
        even = self._even()
        intervals = Intervals(torch.cat([beginning, even.left]), torch.cat([beginning, even.right]))
        for slopes in self._each(intervals, lambda piece: self._slopes(layers, piece, neuron)):
            heights.append(slopes.heights)
            for layer, gradient in slopes.gradients.items():
                totals[layer] += gradient.sum(dim=0)
        moved = [(totals[layer] * self._difference(layer)).sum(dim=0).cpu() for layer in layers]
        change: Tensor = self._told(self._clean)[0] - heights[0][0]
        return Walk(moved, change.cpu())

    def _refined(self, layer: int, tolerated: float) -> Walk:
        """One layer, walked in pieces that are quartered until each one's scores sum to its change of the objective."""
        total = torch.zeros_like(self.end[layer], dtype=torch.float32)
        change = torch.zeros((), device=total.device)
        difference = self._difference(layer)
        intervals, allowed = self._even(), tolerated / _BENT_PIECES
        for round_ in range(self.settings.path_refinements + 1):
            coarse: list[Intervals] = []
            for piece, gradient, rise in self._each(intervals, partial(self._looked_at, layer)):
                error = ((gradient * difference).sum(dim=(1, 2)) - rise).abs()
                good = (error <= allowed) | (round_ == self.settings.path_refinements)
                total += gradient[good].sum(dim=0)
                change += rise[good].sum()
                coarse.append(piece.of(~good))
            intervals = Intervals(*(torch.cat(parts) for parts in zip(*coarse, strict=True))).quartered()
            if not len(intervals.left):
                break
        return Walk([(total * difference).sum(dim=0).cpu()], change.cpu())

    def _even(self) -> Intervals:
        edges = torch.linspace(0, 1, self.settings.path_steps + 1, device=self.end[0].device)
        return Intervals(edges[:-1], edges[1:])

    def _each(self, intervals: Intervals, work: Callable[[Intervals], R]) -> Iterator[R]:
        """As many at a time as one pass may hold."""

        def on_some(rows: Sequence[int]) -> R:
            return work(intervals.of(torch.tensor(rows, device=intervals.left.device)))

        return self.passes.each(range(len(intervals.left)), lambda _: self.replay.positions, on_some)

    def _looked_at(self, layer: int, piece: Intervals) -> tuple[Intervals, Tensor, Tensor]:
        """Some intervals of a layer's path, with their shares of the integral and their changes of the objective."""
        return piece, self._slopes((layer,), piece, None).gradients[layer], self._rises(layer, piece)

    def _slopes(self, layers: tuple[int, ...], intervals: Intervals, neuron: int | None) -> "Slopes":
        """Each interval's share of the integral of gradients, taken at its middle or right end (A5)."""
        points = intervals.left + intervals.width * (0.5 if self.settings.path_rule == "midpoint" else 1.0)
        rows = {layer: self._rows(layer, points, neuron).requires_grad_() for layer in layers}
        value = objective(self._logits(rows), self.replay.targets, self.settings.objective)
        gradients = torch.autograd.grad(value.sum(), list(rows.values()))
        weights = self._weights(points, value.detach()) * intervals.width
        self._count(layers, 2 * len(points))
        shares = (weights[:, None, None] * found.float() for found in gradients)
        return Slopes(dict(zip(layers, shares, strict=True)), self._told(value.detach()))

    @torch.no_grad()
    def _heights(
        self, layers: tuple[int, ...], points: Float[Tensor, " point"], neuron: int | None = None
    ) -> Float[Tensor, " point"]:
        """The objective at some points; for the product of probabilities the product itself, over the reference."""
        rows = {layer: self._rows(layer, points, neuron) for layer in layers}
        values = objective(self._logits(rows), self.replay.targets, self.settings.objective)
        self._count(layers, len(points))
        return self._told(values)

    def _told(self, values: Float[Tensor, " point"]) -> Float[Tensor, " point"]:
        """The objective itself: for the product of probabilities, not its log, over the reference."""
        return (values - self._reference).exp() if self.settings.objective == "product_probability" else values

    def _rises(self, layer: int, intervals: Intervals) -> Float[Tensor, " interval"]:
        """Change of the objective over each interval; edges that neighbours share are looked at once."""
        edges, places = torch.unique(torch.stack([intervals.left, intervals.right]), return_inverse=True)
        heights = self._heights((layer,), edges)
        return heights[places[1]] - heights[places[0]]

    def _largest_end(self) -> float:
        """The largest log of the product of probabilities at either end of any layer's path."""
        self._reference = 0.0
        ends = torch.tensor([0.0, 1.0], device=self.end[0].device)
        rows = ({layer: self._rows(layer, ends, None)} for layer in range(len(self.end)))
        return max(
            float(objective(self._logits(row), self.replay.targets, "product_probability").max()) for row in rows
        )

    def _logits(self, rows: Activations) -> Float[Tensor, "row target vocabulary"]:
        first = min(rows)
        return self.replay.logits_of_block(first, rows[first]) if len(rows) == 1 else self.replay.logits(first, rows)

    def _rows(self, layer: int, points: Tensor, neuron: int | None) -> Float[Tensor, "row position neuron"]:
        begin, end = self.begin[layer].float(), self.end[layer].float()
        if neuron is not None:
            begin = torch.where(torch.arange(end.shape[1], device=end.device) == neuron, begin, end)
        return (begin + points[:, None, None] * (end - begin)).to(self.end[layer].dtype)

    def _difference(self, layer: int) -> Float[Tensor, "position neuron"]:
        return (self.end[layer] - self.begin[layer]).float()

    def _weights(self, points: Float[Tensor, " point"], values: Float[Tensor, " point"]) -> Float[Tensor, " point"]:
        """How much each point's gradient counts (A3, A4).

        The product of probabilities has gradient P times that of log P, so its points weigh by P, here relative to the
        largest P at either end of any layer's path: a factor common to all neurons.
        """
        weights = torch.ones_like(values)
        if self.settings.objective == "product_probability":
            weights = (values - self._reference).exp()
        return weights * points if self.settings.ircan_alpha_weight else weights

    def _count(self, layers: tuple[int, ...], passes: int) -> None:
        """A block that moves alone runs on the moving positions, all others on every replayed position.

        Behind the last block, when it moves alone, later positions keep their predictions.
        """
        positions, moving = self.replay.positions, len(self.end[layers[0]])
        after = len(self.end) - layers[0] - 1
        is_alone = len(layers) == 1 and moving < positions
        block_tokens = (moving if is_alone else positions) + positions * after
        predictions = 1 if is_alone and not after else len(self.replay.targets)
        self.forward_equivalents += passes * self.replay.share(block_tokens, predictions)


def objective(logits: Float[Tensor, "row target vocabulary"], targets: Tensor, kind: str) -> Float[Tensor, " row"]:
    """What is differentiated (A3), one number a row.

    For the product of probabilities it is the sum of logs: `Path._weights` turns its gradient into the product's.
    """
    kept = logits[:, :1] if kind == "first_token_probability" else logits
    log_probability = torch.log_softmax(kept.float(), dim=-1)
    chosen = log_probability.gather(2, targets[None, : kept.shape[1], None].expand(kept.shape[0], -1, 1)).squeeze(2)
    if kind == "product_probability":
        return chosen.sum(dim=1)
    mean = chosen.mean(dim=1)
    return mean if kind == "mean_log_probability" else mean.exp()
