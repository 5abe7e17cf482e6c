"""`equipoise study`: the runs that are still missing, then the finding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.brackets import scalar
from benchmarks.errors import UserError, unknown_name
from harness.columns import find_pairings
from harness.config import RunConfig, build_config
from harness.documents import document, of_plan
from harness.dry_run import describe_plan
from harness.plan import Plan, make_plan
from harness.progress import Display
from harness.remote.address import is_url
from harness.runner import run
from harness.studies.arms import METHODS_OPTION
from harness.studies.base import Outcome, Request, Study
from harness.studies.reading import read_run
from harness.studies.registry import study as find
from harness.studies.writing import facts, render, write_outcome
from methods.registry import METHODS
from methods.settings import build_settings

ROOT = Path("runs") / "studies"


class PlannedRun(NamedTuple):
    """One run of a study."""

    config: RunConfig
    plan: Plan


def study(
    name: str,
    given: Mapping[str, Any],
    changes: Sequence[str],
    echo: Callable[[str], None],
    *,
    is_dry: bool,
    as_json: bool,
) -> int:
    """Carry out a study, or print its plan, and give the exit code.

    Raises:
        UserError: As `plan_runs` and `conduct`.
    """
    chosen, output = find(name), str(given.get("output", ROOT / name))
    if is_url(output):
        raise UserError(f"output is '{output}'; a study needs a folder of this machine. Copy it there afterwards.")
    root = Path(output)
    request = build_request(chosen, given, changes)
    runs = plan_runs(chosen, request, root)
    if is_dry:
        plans = {key: describe_plan(*planned) for key, planned in runs.items()}
        told = "\n\n".join(f"run         {key}\n{text}" for key, text in plans.items())
        echo(document({"runs": {key: of_plan(text) for key, text in plans.items()}}) if as_json else told)
        return 0
    display = Display()
    try:
        outcome = conduct(chosen, request, runs, root, display)
    except KeyboardInterrupt:
        display.note("Stopped. Finished replies are kept: the same command goes on from here.")
        return 130
    paths = write_outcome(outcome)
    files = [str(path) for path in paths]
    echo(document({**facts(outcome), "files": files}) if as_json else "\n".join([render(outcome), "", *files]))
    return 1 if outcome.failures else 0


def build_request(study: Study, given: Mapping[str, Any], changes: Sequence[str]) -> Request:
    """What flags of `run` and `--set name=value` ask of a study.

    Raises:
        UserError: If the study has no such option, its method no such setting, or the arms are given.
    """
    if "methods" in given and METHODS_OPTION not in study.options:
        raise UserError(f"Study '{study.name}' chooses its arms itself. Leave --methods out, and see --set.")
    flags = {name: value for name, value in given.items() if name != "output"}
    request = Request(flags, {}, {})
    standard = {
        name: option.embedded if request.is_embedded else option.elsewhere for name, option in study.options.items()
    }
    options, settings = _changes(study, changes)
    if study.method:
        _check_names(study, settings)
        build_settings(METHODS[study.method].settings_type, settings, study.method)
    return Request(flags, {**standard, **options}, settings)


def _check_names(study: Study, settings: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(METHODS[study.method].settings_type)]
    for name in settings:
        if name not in known:
            raise unknown_name(
                f"option of study '{study.name}' or setting of '{study.method}'", name, [*study.options, *known]
            )


def plan_runs(study: Study, request: Request, root: Path) -> dict[str, PlannedRun]:
    """All runs, checked before any of them costs time.

    Raises:
        UserError: As `build_config` and `make_plan`, or if benchmarks are missing that the study is about.
    """
    planned = {}
    for name, given in study.runs(request).items():
        config = build_config({**given, "output": root / name})
        plan = make_plan(config)
        if study.needs_pairing and not find_pairings(plan.benchmarks):
            raise UserError(
                f"Study '{study.name}' needs a harmful and a benign benchmark that are answered in words; "
                f"--benchmarks is {', '.join(config.benchmarks)}. Name one of each."
            )
        planned[name] = PlannedRun(config, plan)
    return planned


def conduct(study: Study, request: Request, runs: Mapping[str, PlannedRun], root: Path, display: Display) -> Outcome:
    """Do what is left of every run, read all of them, and conclude.

    Raises:
        UserError: As `harness.runner.run`; what was finished before is kept.
    """
    with display.shown():
        for planned in runs.values():
            run(planned.config, planned.plan, display)
    finished = {name: read_run(root / name, request.flags.get("judge"), display.note) for name in runs}
    failures = {f"{name}/{arm}": why for name, one in finished.items() for arm, why in one.failures.items()}
    return Outcome(study, request, study.conclude(request, finished), failures, root, tuple(runs))


def _changes(study: Study, changes: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Options of the study, and settings of its method."""
    options, settings = {}, {}
    for text in changes:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise UserError(f"--set {text} is no setting. Write --set name=value.")
        if name in study.options:
            options[name] = value
        elif study.method:
            settings[name] = scalar(value)
        else:
            raise unknown_name(f"option of study '{study.name}'", name, list(study.options))
    return options, settings
