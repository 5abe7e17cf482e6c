"""The same replies, read by several judges."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.brackets import split_outside_brackets
from benchmarks.errors import UserError
from harness.studies.arms import METHODS, METHODS_OPTION, arms_of
from harness.studies.base import Finding, Option, Request, Results, Study
from harness.studies.reading import read_run
from harness.studies.readings import finding
from metrics.registry import judge

RUN = "replies"
OWN = "none"


def runs(request: Request) -> dict[str, Mapping[str, Any]]:
    """One, unless the replies of a finished run are to be read.

    Raises:
        UserError: If there is no second judge, or no judge of such a name.
    """
    judges = judges_of(request)
    if request.options["run"] != OWN:
        return {}
    embedded = "embedded_attacked,embedded_benign,embedded_benign_attacked"
    return {RUN: {**request.run(arms_of(request), embedded, "safeedit_975,alpaca_100"), "judge": judges[0]}}


def judges_of(request: Request) -> list[str]:
    """The judges to compare, the one to go by first.

    Raises:
        UserError: If there is no second one, or none of such a name.
    """
    names = split_outside_brackets(request.options["judges"])
    if len(set(names)) < 2:
        raise UserError(f"judges is '{request.options['judges']}'; name two or more: --set judges=keyword,grammar.")
    for name in names:
        judge(name)
    return names


def conclude(request: Request, results: Results) -> Finding:
    """Every judge against the first; what each says goes beside what the run's own judge said."""
    given = request.options["run"]
    folder = results[RUN].evidence.folder.root if given == OWN else Path(given)
    readings = {name: read_run(folder, name, lambda _: None) for name in judges_of(request)}
    if not next(iter(readings.values())).evidence.pairings:
        raise UserError(f"'{folder}' has no harmful and benign benchmark that are answered in words, so no SU-F1.")
    found = finding(readings, "judge", lambda first, other: f"with {other} instead of {first}")
    return found if given == OWN else replace(found, notes=[*found.notes, f"Replies read: those of '{folder}'."])


JUDGE_SENSITIVITY = Study(
    name="judge-sensitivity",
    question="Does the ranking of the methods survive another judge?",
    paper="all tables rest on the classifier of SafeEdit's authors; the question is ours",
    runs=runs,
    conclude=conclude,
    options={
        "judges": Option(
            "Judges by commas, the one to go by first.", embedded="grammar,keyword", elsewhere="keyword,linear"
        ),
        "run": Option("A finished run whose replies are read; none: the study makes its own.", OWN, OWN),
        METHODS_OPTION: METHODS,
    },
)
