"""Which candidates are measured: all of them, or few on few prompts first and then those around the best."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from methods.base import ChatModel, Progress
from methods.metering import Meter
from methods.refusal_direction.selection import Bench, Candidate, choose, measure, preference

STAGE = "choosing a layer"
SHARE = 0.25
"""Of the dev prompts, on which the coarse pass measures."""


class Found(NamedTuple):
    """The chosen candidate, and all that were measured."""

    best: Candidate
    fine: list[Candidate]
    """On all dev prompts."""
    coarse: list[Candidate]
    """On the first quarter of them."""


class Search:
    """Measures directions on dev prompts."""

    def __init__(
        self,
        model: ChatModel,
        bench: Bench,
        directions: Float[Tensor, "place layer width"],
        max_kl: float,
        meter: Meter,
        progress: Progress,
    ) -> None:
        self.model, self.bench, self.directions = model, bench, directions
        self.max_kl, self.meter, self.progress = max_kl, meter, progress

    def run(self, layers: Sequence[int], step: int) -> Found:
        """Every `step`-th layer first where that saves something, then the ones less than a step from the best.

        Raises:
            UserError: If every candidate harms the model more than `max_kl` allows.
        """
        places = range(len(self.directions))
        everything = [(place, layer) for place in places for layer in layers]
        coarse: list[Candidate] = []
        if step > 1 and len(layers) > 2 * step:
            few = [(place, layer) for place in places for layer in layers[step // 2 :: step]]
            coarse = self._measured(few, self.bench.part(SHARE), "choosing a layer, coarsely")
            near = max(coarse, key=self._preference)
            everything = [
                (place, layer) for place, layer in everything if place == near.place and abs(layer - near.layer) < step
            ]
        fine = self._measured(everything, self.bench, STAGE)
        best = choose(fine, self.max_kl, is_against_refusal=self.bench.is_against_refusal)
        return Found(best, fine, coarse)

    def _preference(self, one: Candidate) -> tuple[float, float]:
        return preference(one, self.max_kl, is_against_refusal=self.bench.is_against_refusal)

    def _measured(self, places: Sequence[tuple[int, int]], bench: Bench, stage: str) -> list[Candidate]:
        found = []
        for done, (place, layer) in enumerate(places):
            self.progress(stage, done, len(places))
            found.append(measure(self.model, bench, self.directions[place, layer - 1], place, layer))
        self.progress(stage, len(places), len(places))
        self.meter.count("selection", len(places) * bench.passes)
        return found
