"""Neurons by layer as bars, their mean contribution as a line: figure 3 of NeuronTune."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from reports.figures import INK, PALETTE, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Layers(NamedTuple):
    """One set of neurons."""

    neurons: Sequence[float]
    """By layer, the first layer first."""
    contributions: Sequence[float | None]
    """Mean over the layer's neurons of the set; None where there is none."""

    @property
    def peak(self) -> int:
        """The layer with most neurons, from 0; the first of equals."""
        return max(range(len(self.neurons)), key=lambda layer: self.neurons[layer])


def by_layer(key: str, sets: Mapping[str, Layers]) -> Plot:
    """A panel for each set, one below the other."""

    def draw(figure: "Figure") -> None:
        for place, (name, layers) in enumerate(sets.items(), start=1):
            _draw(figure.add_subplot(len(sets), 1, place, ylabel=name), layers, PALETTE[place - 1])

    told = "; ".join(f"{name}: {', '.join(f'{one:g}' for one in layers.neurons)}" for name, layers in sets.items())
    subtitle = "bars: neurons; line: mean contribution"
    return Plot(key, "Neurons by layer", subtitle, 6.4, 2.6 * len(sets), draw, f"Neurons by layer. {told}")


def _draw(axes: "Axes", layers: Layers, colour: str) -> None:
    axes.bar(range(len(layers.neurons)), list(layers.neurons), color=colour, alpha=0.75)
    axes.set_xlabel("layer")
    axes.locator_params(axis="x", integer=True)
    line = axes.twinx()
    line.spines["right"].set_visible(True)
    line.set_ylabel("mean contribution")
    # Where there is no neuron there is no contribution: the line breaks there.
    heights = [math.nan if score is None else score for score in layers.contributions]
    line.plot(range(len(heights)), heights, "o-", color=INK, markersize=4, linewidth=1.1)
