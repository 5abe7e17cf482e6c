"""`default`: the model as it is. The first arm of every comparison, and the one that all others are held against."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData
from methods.base import Block, ChatModel, Cost, Fidelity, Fitted, Progress, Requirements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class DefaultSettings:
    """There is nothing to set."""


class FittedDefault:
    """The arm that changes nothing."""

    cost = Cost()

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """The model itself."""
        yield model

    def fold(self, weights: "Mapping[str, Tensor]", blocks: "Sequence[Block]") -> "dict[str, Tensor]":  # noqa: ARG002
        """No tensor changes."""
        return {}

    def save(self, folder: Path) -> None:
        """Write an empty artefact, so that a finished fit can be told from none."""
        (folder / "artefact.json").write_text(json.dumps({"method": Default.name}))

    def diagnostics(self) -> Mapping[str, Any]:
        """Nothing to tell."""
        return {}


class Default:
    """No method: the chat model as published."""

    name: ClassVar[str] = "default"
    paper: ClassVar[str] = "none: the model as it is"
    fidelity: ClassVar[Fidelity] = Fidelity.FAITHFUL
    deviations: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Requirements] = Requirements()
    is_seeded: ClassVar[bool] = False
    settings_type: ClassVar[type] = DefaultSettings
    neutral: ClassVar[Mapping[str, Any]] = {}
    small: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, settings: DefaultSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Any model will do."""

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:  # noqa: ARG002
        """Nothing is learnt."""
        return FittedDefault()

    @staticmethod
    def load(folder: Path) -> Fitted:  # noqa: ARG004
        """Nothing to read."""
        return FittedDefault()
