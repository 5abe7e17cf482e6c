"""What a study found: the best trial, the Pareto front, and the files that say so."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.protocol import Protocol
from harness.storage import write_json, write_whole, writing
from harness.tuning.chosen import Chosen, write_chosen
from harness.tuning.plan import StudyPlan
from harness.tuning.trial import Trial
from metrics.pareto import front
from reports.foreign import spreadsheet_text

NOTE = (
    "The value of the best trial is the largest of several noisy ones, on the prompts that chose it: expect less on "
    "test prompts. The method may have chosen more on the same dev prompts inside each fit."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A study that is over."""

    plan: StudyPlan
    trials: tuple[Trial, ...]
    """Those that the budget pays for."""
    protocol: Protocol

    @property
    def best(self) -> Trial | None:
        """None if every trial failed."""
        return best_of(self.trials, self.plan.config.objective)

    @property
    def pareto(self) -> tuple[Trial, ...]:
        """Trials that no other beats in safety and utility, from the most useful to the safest."""
        return front([trial for trial in self.trials if not trial.reason], lambda trial: trial.axes)

    @property
    def failed(self) -> tuple[Trial, ...]:
        """Trials with a reason instead of estimates."""
        return tuple(trial for trial in self.trials if trial.reason)


def best_of(trials: Sequence[Trial], objective: str) -> Trial | None:
    """The largest value on dev prompts; of equal ones the cheaper trial, then the earlier."""
    valued = [(value, trial) for trial in trials if (value := trial.value(objective)) is not None]
    ranked = [(-value, trial.forward_equivalents, trial.number, trial) for value, trial in valued]
    return min(ranked, key=lambda rank: rank[:3])[3] if ranked else None


def write_outcome(outcome: Outcome) -> None:
    """Write `trials.csv`, `pareto.json` and, unless every trial failed, `chosen.json`.

    Raises:
        StorageError: If the disk refuses.
    """
    root, best = outcome.plan.root, outcome.best
    with writing(root):
        write_whole(root / "trials.csv", _csv(outcome).encode())
        write_json(root / "pareto.json", [asdict(trial) for trial in outcome.pareto])
        if best is not None:
            settings = {**outcome.plan.config.arm.settings, **best.settings}
            write_chosen(root, Chosen(outcome.plan.kind.name, settings, _facts(outcome, best)))


def _facts(outcome: Outcome, best: Trial) -> dict[str, Any]:
    config, protocol = outcome.plan.config, outcome.protocol
    estimate = best.estimates[config.objective]
    defaults = outcome.trials[0].estimates.get(config.objective)
    return {
        "objective": config.objective,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "default_value": defaults.value if defaults else None,
        "default_low": defaults.low if defaults else None,
        "default_high": defaults.high if defaults else None,
        "trials": len(outcome.trials),
        "failed": len(outcome.failed),
        "budget": str(config.budget),
        "forward_equivalents": sum(trial.forward_equivalents for trial in outcome.trials),
        "seconds": sum(trial.seconds for trial in outcome.trials),
        "searched": [known.name for known in outcome.plan.space.settings],
        "fixed": dict(config.arm.settings),
        "data": outcome.plan.data.name,
        "data_hash": protocol["data"]["hash"],
        "dev_prompts": outcome.plan.dev_prompts,
        "model": protocol["model"]["name"],
        "weights": protocol["model"]["weights"],
        "judge": config.run.judge,
        "seed": config.seed,
        "generation": protocol["generation"],
        "note": NOTE,
    }


def _csv(outcome: Outcome) -> str:
    rows = [dict(_cells(trial)) for trial in outcome.trials]
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(trial: Trial) -> Iterator[tuple[str, object]]:
    yield from {"trial": trial.number, "state": "failed" if trial.reason else "done", **trial.settings}.items()
    yield from {"forward_equivalents": trial.forward_equivalents, "seconds": round(trial.seconds, 2)}.items()
    yield "reason", spreadsheet_text(trial.reason)
    for name, estimate in trial.estimates.items():
        yield from {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}.items()
        yield f"{name}_unscored", estimate.unscored
