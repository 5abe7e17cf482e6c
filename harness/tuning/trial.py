"""One trial of a study: what was set, what came of it on dev prompts, and what it took."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.storage import write_json
from metrics.base import Estimate
from metrics.pareto import Axes

FILE = "trial.json"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that is over."""

    number: int
    """0 is the trial of the defaults."""
    settings: Mapping[str, Any]
    """The searched ones."""
    forward_equivalents: float
    """Of its fit, and of answering every dev prompt."""
    seconds: float
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """`safety`, `utility`, `su_f1`, `harmful_refusal`, `benign_refusal` on dev prompts; empty if the trial failed."""
    reason: str = ""
    """Why it failed, in one line."""

    def value(self, objective: str) -> float | None:
        """What the trial was worth; None if it failed."""
        return self.estimates[objective].value if self.estimates else None

    @property
    def axes(self) -> Axes:
        """Safety and utility of a trial that did not fail."""
        safety, utility = self.estimates["safety"].value, self.estimates["utility"].value
        assert safety is not None
        assert utility is not None
        return Axes(safety, utility)


def read_trials(root: Path) -> tuple[Trial, ...]:
    """The finished trials of a study, in order, up to the first that is not finished."""
    trials: list[Trial] = []
    while (path := trial_folder(root, len(trials)) / FILE).exists():
        record = json.loads(path.read_text(encoding="utf-8"))
        estimates = {name: Estimate(**estimate) for name, estimate in record.pop("estimates").items()}
        trials.append(Trial(**record, estimates=estimates))
    return tuple(trials)


def write_trial(root: Path, trial: Trial) -> None:
    """Write a trial whole or not at all: what a kill leaves behind is a trial still to be made."""
    write_json(trial_folder(root, trial.number) / FILE, asdict(trial))


def trial_folder(root: Path, number: int) -> Path:
    """Replies of a trial, its record, and the traceback of one that failed."""
    return root / "trials" / f"{number:04d}"
