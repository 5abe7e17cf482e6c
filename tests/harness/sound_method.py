"""A small method that keeps every law, for the broken ones to differ from in one thing each."""

# ruff: noqa: ARG002 - toys take what real methods take and use little of it

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from benchmarks.base import AlignmentData
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fidelity, Fitted, ForwardState, Progress, Requirements
from methods.metering import Meter
from methods.residual import added, read_states
from methods.settings import Range, setting

BLOCK = 1


@dataclass(frozen=True, slots=True)
class SoundSettings:
    strength: float = setting(
        2.0, "How much of the direction is added.", source="our choice", low=0, high=9, search=Range(0.5, 4)
    )


@dataclass
class FittedSound:
    """Adds a direction to the stream after one block, from the last prompt token on."""

    direction: Tensor
    strength: float
    cost: Cost
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        with added(model, {BLOCK: self.strength * self.direction}, self.weights):
            yield model

    def weights(self, state: ForwardState) -> Tensor:
        return state.is_after_prompt.float()

    def save(self, folder: Path) -> None:
        facts = {"strength": self.strength, **self.facts}
        Artefact("sound", self.cost, {}, facts, {"direction": self.direction}).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        return {"strength": self.strength}


class Sound:
    """Keeps every law."""

    name: ClassVar[str] = "sound"
    paper: ClassVar[str] = "none"
    fidelity: ClassVar[Fidelity] = Fidelity.FAITHFUL
    deviations: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Requirements] = Requirements(activations=True)
    is_seeded: ClassVar[bool] = False
    settings_type: ClassVar[type] = SoundSettings
    neutral: ClassVar[Mapping[str, Any]] = {"strength": 0.0}
    small: ClassVar[Mapping[str, Any]] = {}
    fitted_type: ClassVar[type[FittedSound]] = FittedSound

    def __init__(self, settings: SoundSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Everything will do."""

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        meter = Meter()
        prompts = (*data.harmful()[:4], *data.benign()[:4])
        rows = [model.encode(prompt).ids for prompt in prompts]
        states = read_states(model, rows, [[len(row) - 1] for row in rows])[:, 0, BLOCK]
        meter.count("reading", len(rows))
        direction = states[:4].mean(dim=0) - states[4:].mean(dim=0)
        return self.finished(self.fitted_type(direction, self.settings.strength, meter.cost()), model, seed)

    def finished(self, fitted: FittedSound, model: ChatModel, seed: int) -> Fitted:
        """Where a broken fit does its harm."""
        return fitted

    @classmethod
    def load(cls, folder: Path) -> Fitted:
        saved = Artefact.load(folder)
        facts = dict(saved.facts)
        return cls.fitted_type(saved.tensors["direction"], facts.pop("strength"), saved.cost, facts)
