"""The outcome of a study as plain text, printed when it ends."""

import textwrap

from tabulate import tabulate

from benchmarks.base import Intent
from harness.tuning.outcome import NOTE, Outcome
from harness.tuning.trial import Trial
from metrics.base import Estimate

WIDTH = 80
_COLUMNS = {"su_f1": "SU-F1", "safety": "safety", "utility": "utility"}


def render(outcome: Outcome) -> str:
    """The defaults, the best trial and the Pareto front, a row each, and how to use what was chosen."""
    plan = outcome.plan
    headers = ["trial", "", *_COLUMNS.values(), "refused", "forward\npasses", "settings"]
    rows = [_row(trial, outcome) for trial in _told(outcome)]
    align = ["right", "left", *["right"] * (len(_COLUMNS) + 2), "left"]
    table = tabulate(rows, headers, tablefmt="simple", colalign=align, disable_numparse=True)
    notes = ["Below a number its 95 % interval on dev prompts.", NOTE]
    use = [f'Use it: equipoise run --methods "default,{plan.config.arm.method}@{plan.root}"'] if outcome.best else []
    return "\n".join([_opening(outcome), "", table, "", *(textwrap.fill(note, WIDTH) for note in notes), *use])


def _opening(outcome: Outcome) -> str:
    plan = outcome.plan
    harmful, benign = (len(side.prompts) for side in plan.questions)
    spent = sum(trial.forward_equivalents for trial in outcome.trials)
    failed = f" ({len(outcome.failed)} failed)" if outcome.failed else ""
    return textwrap.fill(
        f"{plan.kind.name}, tuned for {plan.config.objective} on {harmful} harmful and {benign} benign dev prompts of "
        f"'{plan.data.name}': {len(outcome.trials)} trials{failed}, {spent:,.0f} forward equivalents.",
        WIDTH,
    )


def _told(outcome: Outcome) -> list[Trial]:
    """Each once: the defaults, the best, then the front."""
    best = (outcome.best,) if outcome.best else ()
    told = {trial.number: trial for trial in (*outcome.trials[:1], *best, *outcome.pareto)}
    return list(told.values())


def _row(trial: Trial, outcome: Outcome) -> list[str]:
    marks = {"defaults": trial.number == 0, "best": trial == outcome.best, "Pareto": trial in outcome.pareto}
    numbers = [_shown(trial.estimates.get(name)) for name in _COLUMNS]
    refused = "\n".join(f"{intent} {_number(trial.estimates.get(f'{intent}_refusal'))}" for intent in Intent)
    settings = "\n".join(f"{name}={value}" for name, value in trial.settings.items())
    mark = "\n".join(name for name, holds in marks.items() if holds)
    return [str(trial.number), mark, *numbers, refused, f"{trial.forward_equivalents:,.0f}", settings]


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "failed"
    return f"{_number(estimate)}\n{estimate.low:.3f}-{estimate.high:.3f}"


def _number(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f}"
