"""Choosing layer and epoch by kinds of benign questions that a detector has not learnt from, where it can be done."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from methods.cavgan.settings import CavganSettings
from methods.cavgan.training import Epoch, Judged, Material, States, Verdict, train


class Groups(NamedTuple):
    """Hidden states at one layer, the benign ones by source."""

    train_malicious: Float[Tensor, "question width"]
    train_benign: Mapping[str, Float[Tensor, "_ width"]]
    dev_malicious: Float[Tensor, "dev_question width"]
    dev_benign: Mapping[str, Float[Tensor, "_ width"]]


class Trained(NamedTuple):
    """The detector of one layer, and how it was chosen among its epochs."""

    number: int
    """The epoch that is kept, from 1."""
    epochs: Sequence[Epoch]
    """Of the detector that learnt from all sources."""
    verdicts: Sequence[Verdict]
    """Of every epoch, the worst over the benign sources that were held out; in training all were where there is one."""

    @property
    def best(self) -> Epoch:
        """The epoch that is kept."""
        return self.epochs[self.number - 1]

    @property
    def verdict(self) -> Verdict:
        """On that epoch."""
        return self.verdicts[self.number - 1]


def trained(groups: Groups, settings: CavganSettings, seed: int, device: torch.device) -> Trained:
    """A detector of all sources, at the epoch where detectors that lack a source tell that source apart best.

    Of equal epochs the latest is kept: it has seen the most disguises.
    """
    epochs = train(_material(groups), settings, seed, device)
    held_out = [train(_material(groups, name), settings, seed, device) for name in held_out_sources(groups)]
    runs = [[epoch.verdict for epoch in one] for one in held_out or [epochs]]
    verdicts = [_worst(some) for some in zip(*runs, strict=True)]
    number = max(range(1, len(epochs) + 1), key=lambda number: (verdicts[number - 1].accuracy, number))
    return Trained(number, epochs, verdicts)


def held_out_sources(groups: Groups) -> list[str]:
    """Benign sources that are left out of training in turn; none where there is but one."""
    return list(groups.train_benign) if len(groups.train_benign) > 1 else []


def best_layer(found: Mapping[int, Trained]) -> int:
    """The layer that ranks the worst source best; of equals the one with the larger margin, then the middle one."""
    middle = sum(found) / len(found)
    return max(found, key=lambda layer: (*_rank(found[layer].verdict), -abs(layer - middle)))


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return Verdict(*(min(values) for values in zip(*verdicts, strict=True)))


def _rank(verdict: Verdict) -> tuple[float, float]:
    return verdict.area_under_curve, verdict.margin


def _material(groups: Groups, without: str | None = None) -> Material:
    """What a detector learns from without one source, and what it is judged on: sources that it does not know.

    A source that dev does not have is judged by its train questions. With no source left out, it is all of dev.
    """
    known = [states for name, states in groups.train_benign.items() if name != without]
    judged = dict(groups.dev_benign)
    if without is not None:
        judged = {name: states for name, states in judged.items() if name not in groups.train_benign}
        judged[without] = groups.dev_benign.get(without, groups.train_benign[without])
    return Material(States(groups.train_malicious, torch.cat(known)), Judged(groups.dev_malicious, judged))
