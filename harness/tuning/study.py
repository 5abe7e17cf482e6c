"""The study: trial after trial until the budget is spent, everything on disk as it comes."""

import json
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from harness import registry
from harness.doctor import preflight
from harness.plan import check_model, check_requirements
from harness.progress import Display
from harness.protocol import Protocol, check_same
from harness.provenance import command_line, provenance
from harness.run_folder import RunFolder
from harness.storage import write_json, writing
from harness.tuning.budget import Unit
from harness.tuning.evaluation import Evaluation
from harness.tuning.outcome import Outcome, best_of
from harness.tuning.plan import StudyPlan, too_small
from harness.tuning.search import Tried, suggest
from harness.tuning.trial import Trial, read_trials
from harness.working import tell_left_behind

HEADER = "study.json"


def run_study(plan: StudyPlan, display: Display) -> Outcome:
    """Make the trials that are still to be made.

    Raises:
        UserError: If the method needs what the engine or the model lacks, the model cannot be loaded, another process
            has the folder, it cannot be written to, the protocol changed, or the budget does not pay for one trial.
    """
    config = plan.config.run
    engine = registry.engine(config.engine)
    check_requirements((plan.arm,), config.engine, engine.offers)
    preflight(config, plan.run, display)
    with RunFolder(plan.root).locked():
        tell_left_behind(plan.root, display.note)
        evaluation = Evaluation(plan, engine, display)
        check_model((plan.arm,), evaluation.model)
        plan = evaluation.plan  # its data complete
        protocol = plan.protocol(evaluation.model)
        _begin(plan.root, protocol, provenance(command_line(), str(evaluation.model.device)))
        trials = _trials(evaluation)
    return Outcome(plan, trials, protocol)


def _trials(evaluation: Evaluation) -> tuple[Trial, ...]:
    """All trials that the budget pays for, those of earlier processes among them."""
    plan, budget, display = evaluation.plan, evaluation.plan.config.budget, evaluation.display
    trials = list(read_trials(plan.root))
    spent = budget.spent(trials)
    most = min(budget.amount, plan.space.trials) if budget.unit is Unit.TRIALS else budget.amount
    with display.stage(f"tuning {plan.config.arm.label}", round(spent), round(most)) as advance:
        while budget.allows_another(trials, plan.dev_prompts):
            point = _next(plan, trials)
            if point is None:
                display.note(f"All {len(trials)} combinations of the searched settings were tried.")
                break
            trials.append(evaluation.make(len(trials), point))
            display.note(_line(trials, plan.config.objective))
            advance(round(budget.spent(trials)) - round(spent))
            spent = budget.spent(trials)
    if not (counted := budget.counted(trials)):
        raise too_small(budget, budget.spent(trials[:1]))
    return counted


def _next(plan: StudyPlan, trials: list[Trial]) -> dict[str, Any] | None:
    """The defaults first, so that tuning cannot end below them on dev prompts."""
    if not trials:
        return plan.space.defaults
    history = [Tried(trial.settings, trial.value(plan.config.objective)) for trial in trials]
    return suggest(plan.space, history, plan.config.seed, len(trials))


def _line(trials: list[Trial], objective: str) -> str:
    last, best = trials[-1], best_of(trials, objective)
    if last.reason or best is None:
        return f"trial {last.number} failed: {last.reason}"
    return (
        f"trial {last.number}: {objective} {last.value(objective):.3f}; "
        f"best so far {best.value(objective):.3f} in trial {best.number}"
    )


def _begin(root: Path, protocol: Protocol, process: Any) -> None:  # noqa: ANN401 - the JSON edge
    """Write the header of a new study, or check that an old one has the same protocol and note that it goes on."""
    path = root / HEADER
    header = {"protocol": protocol, "provenance": process, "resumed": []}
    if path.exists():
        header = _header(root)
        check_same(str(root), header, protocol)
        header["resumed"].append(process)
    with writing(root):
        write_json(path, header)


def _header(root: Path) -> dict[str, Any]:
    try:
        header: object = json.loads((root / HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"'{root / HEADER}' cannot be read. Choose another --output.") from error
    if not isinstance(header, dict) or not {"protocol", "provenance", "resumed"} <= header.keys():
        raise UserError(f"'{root / HEADER}' is that of no study. Choose another --output.")
    return header
