"""The edit of DINM: every instance's own, from the same unedited weights, and their mean."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from benchmarks.errors import UserError
from methods.base import ChatModel, Progress
from methods.dinm.instances import Lesson
from methods.dinm.locating import Region, distances, region
from methods.dinm.masking import masks_before, top_share
from methods.dinm.settings import DinmSettings
from methods.dinm.tuning import Tensors, tune
from methods.metering import Meter


class Edit(NamedTuple):
    """What is added to the weights."""

    deltas: Tensors
    """In float32, by name of the weight; only those that change."""
    facts: Mapping[str, Any]
    """For the report; JSON-ready."""


class Location(NamedTuple):
    """The layer that every instance edits."""

    layers: list[int]
    distances: list[list[float]]
    """By layer, for every instance that was located."""


def edit(
    model: ChatModel, lessons: Sequence[Lesson], settings: DinmSettings, seed: int, meter: Meter, progress: Progress
) -> Edit:
    """Locate, tune and average; `settings` have their variant resolved.

    Instances may be located at different layers: a layer's deltas are summed and divided by the number of all
    instances, so that several layers together change about as much as one would.

    Raises:
        UserError: If two replies do not differ, so that no layer can be located.
    """
    where = _locate(model, lessons, settings, meter)
    deltas: dict[str, torch.Tensor] = {}
    losses: dict[int, list[float]] = {}
    norms: dict[str, float] = {}
    for layer in sorted(set(where.layers)):
        here = [number for number, located in enumerate(where.layers) if located == layer]
        toxic = region(model, model.blocks[layer], settings.edit_scope)
        masks = masks_before(model, toxic, [lessons[number].refusal for number in here], settings, seed, meter)
        total = {name: torch.zeros_like(weight) for name, weight in toxic.weights.items()}
        for number in here:
            progress("editing", len(losses), len(lessons))
            tuned = tune(model, toxic, masks, lessons[number], settings, meter)
            losses[number] = [round(loss, 5) for loss in tuned.losses]
            for name, delta in tuned.deltas.items():
                total[name] += delta / len(lessons)
        deltas |= _kept(total, settings, seed)
        norms |= _norms(toxic)
    progress("editing", len(lessons), len(lessons))
    return Edit({name: delta.cpu() for name, delta in deltas.items()}, {
        "layers": where.layers,
        "distance_by_layer": where.distances,
        "losses": [losses[number] for number in range(len(lessons))],
        "share_of_entries_edited": {name: float((delta != 0).float().mean()) for name, delta in deltas.items()},
        "relative_norm": {name: round(float(delta.norm()) / norms[name], 6) for name, delta in deltas.items()},
    })  # fmt: skip


def _locate(model: ChatModel, lessons: Sequence[Lesson], settings: DinmSettings, meter: Meter) -> Location:
    compared = lessons if settings.location == "each_instance" else lessons[:1]
    meter.count("location", 2 * len(compared))
    if any(lesson.safe == lesson.unsafe or not (lesson.safe and lesson.unsafe) for lesson in compared):
        raise UserError("'dinm' cannot locate a layer: an instance's safe and unsafe reply are equal, or one is empty.")
    found = [distances(model, lesson, settings) for lesson in compared]
    layers = [int(apart.argmax()) for apart in found]
    layers += layers[:1] * (len(lessons) - len(compared))
    return Location(layers, [[round(value, 4) for value in apart.tolist()] for apart in found])


def _kept(total: Tensors, settings: DinmSettings, seed: int) -> dict[str, torch.Tensor]:
    """The deltas that change anything; under `delta_top` only their largest entries, shuffled if they are a control."""
    kept = dict(total)
    if settings.mask_rule == "delta_top":
        kept = {name: delta * top_share(delta.abs(), settings.edit_fraction) for name, delta in total.items()}
    kept = {name: delta for name, delta in kept.items() if bool(delta.any())}
    return kept if settings.delta == "tuned" else {name: _shuffled(delta, seed) for name, delta in kept.items()}


def _shuffled(delta: torch.Tensor, seed: int) -> torch.Tensor:
    """The same changes at other places among those that change, so that norm and share stay what they are."""
    places = delta.flatten().nonzero().squeeze(1)
    drawn = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed)).to(places.device)
    return delta.flatten().index_put((places,), delta.flatten()[places[drawn]]).view_as(delta)


def _norms(toxic: Region) -> dict[str, float]:
    return {name: float(weight.norm()) for name, weight in toxic.weights.items()}
