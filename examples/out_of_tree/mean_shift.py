"""A method in a package of its own: steer every reply along a difference of means, harmful minus benign."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.base import AlignmentData
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fitted, Progress, Requirements
from methods.default import Default
from methods.metering import Meter
from methods.residual import added, read_states
from methods.settings import setting


@dataclass(frozen=True)
class Settings:
    strength: float = setting(0.5, "Times the difference.", source="our choice", low=0.0, search=(0.25, 0.5, 1.0))


@dataclass(frozen=True)
class FittedShift:
    vector: Any
    cost: Cost

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        with added(model, {len(model.blocks) // 2: self.vector}, lambda running: running.is_after_prompt):
            yield model

    def save(self, folder: Path) -> None:
        Artefact("mean_shift", self.cost, tensors={"vector": self.vector}).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        return {"norm": float(self.vector.norm())}


class MeanShift(Default):
    """Mean shift: every reply is steered by the mean state of harmful prompts minus that of benign ones."""

    name = "mean_shift"
    paper = "none: an example"
    needs = Requirements(activations=True)
    settings_type = Settings
    neutral: ClassVar[Mapping[str, Any]] = {"strength": 0.0}

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:  # noqa: ARG002
        meter, rows = Meter(), [model.encode(prompt).ids for prompt in (*data.harmful(), *data.benign())]
        states = read_states(model, rows, [[len(row) - 1] for row in rows])[:, 0, len(model.blocks) // 2]
        meter.count("reading", len(rows))
        count = len(data.harmful())
        vector = self.settings.strength * (states[:count].mean(dim=0) - states[count:].mean(dim=0))
        return FittedShift(vector, meter.cost())

    @staticmethod
    def load(folder: Path) -> Fitted:
        saved = Artefact.load(folder)
        return FittedShift(saved.tensors["vector"], saved.cost)
