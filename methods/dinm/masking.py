"""Which entries of a matrix may change: the partial edits of NeuronTune's table 1, which does not say how to choose.

Every rule takes its share within each matrix, and looks at all instances of a layer together, so that the share of
entries which their averaged edit changes is the one that was asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from methods.base import ChatModel
from methods.dinm.instances import Sequences
from methods.dinm.locating import Region
from methods.dinm.settings import DinmSettings
from methods.dinm.tuning import Tensors, edit_loss, predictions
from methods.metering import Meter


def masks_before(
    model: ChatModel, region: Region, refusals: Sequence[Sequences], settings: DinmSettings, seed: int, meter: Meter
) -> Tensors:
    """Masks that are known before the first step, by name of the weight; none where every entry may change."""
    if settings.edit_fraction == 1 or settings.mask_rule == "delta_top":
        return {}
    if settings.mask_rule == "random":
        scores = _random(region, seed)
    elif settings.mask_rule == "wanda":
        meter.count("masking", len(refusals))
        scores = _weight_times_input(model, region, refusals)
    else:
        meter.count("masking", len(refusals) * (1 + region.backward))
        slopes = _gradients(model, region, refusals)
        axis, whole = 1 - region.input_axis, settings.mask_rule == "neuron_top"
        scores = {name: slope.norm(dim=axis, keepdim=True) if whole else slope.abs() for name, slope in slopes.items()}
    return {
        name: top_share(scores[name], settings.edit_fraction).expand(weight.shape).to(weight.device)
        for name, weight in region.weights.items()
    }


def top_share(scores: Float[Tensor, "row column"], share: float) -> Bool[Tensor, "row column"]:
    """True at the largest scores: that share of all, and at least one."""
    chosen = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    chosen[scores.flatten().topk(max(1, round(share * scores.numel()))).indices] = True
    return chosen.view(scores.shape)


def _random(region: Region, seed: int) -> Tensors:
    """Drawn on the CPU, so that they are the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(weight.shape, generator=generator) for name, weight in region.weights.items()}


def _gradients(model: ChatModel, region: Region, refusals: Sequence[Sequences]) -> Tensors:
    """Gradient of the mean edit loss of the instances by the unedited weights."""
    weights = {name: weight.detach().requires_grad_() for name, weight in region.weights.items()}
    total = {name: torch.zeros_like(weight) for name, weight in region.weights.items()}
    for refusal in refusals:
        slopes = torch.autograd.grad(edit_loss(model, refusal, weights), list(weights.values()))
        for name, slope in zip(weights, slopes, strict=True):
            total[name] += slope / len(refusals)
    return total


def _weight_times_input(model: ChatModel, region: Region, refusals: Sequence[Sequences]) -> Tensors:
    """Absolute weight times the norm of its input over all tokens of the instances (Wanda, equation 1)."""
    squares = {name: torch.zeros(1, device=weight.device) for name, weight in region.weights.items()}
    with torch.no_grad(), _input_squares(region, squares):
        for refusal in refusals:
            predictions(model, refusal)
    return {
        name: weight.abs() * squares[name].sqrt().unsqueeze(1 - region.input_axis)
        for name, weight in region.weights.items()
    }


@contextmanager
def _input_squares(region: Region, squares: dict[str, Tensor]) -> Iterator[None]:
    """Sum the squares of each input of the region's layers over all tokens that pass inside the block."""

    def recorder(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def record(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            squares[name] = squares[name] + inputs[0].float().square().sum(dim=(0, 1))

        return record

    with ExitStack() as stack:
        for name, layer in region.layers.items():
            stack.callback(layer.register_forward_pre_hook(recorder(name)).remove)
        yield
