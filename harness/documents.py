"""What commands print under `--json`: one document each. What people are told meanwhile goes to stderr."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.findings import Finding, Level
from metrics.base import Estimate

if TYPE_CHECKING:
    from harness.pages import Pages
    from harness.tuning.outcome import Outcome
    from metrics.published.audit import Audit
    from reports.paper.table import PaperTable

SUBJECT_WIDTH = 12
"""Characters of a plan's lines before their text."""


def document(content: Mapping[str, Any]) -> str:
    """A document as text; no unseen character, no NaN."""
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False)


def of_pages(pages: "Pages", shown: Callable[[Path], str]) -> dict[str, Any]:
    """`run` and `report`: all of `results.json`, and `files`: where that, `costs.json` and each page lie."""
    return {**pages.results, "files": {name: shown(path) for name, path in pages.files.items()}}


def of_plan(text: str) -> dict[str, Any]:
    """`--dry-run`: the lines of a plan."""
    lines = [(line[:SUBJECT_WIDTH].strip(), line[SUBJECT_WIDTH:].strip()) for line in text.splitlines()]
    return {"plan": [{"subject": subject, "text": told} for subject, told in lines]}


def of_findings(findings: Sequence[Finding]) -> dict[str, Any]:
    """`doctor`: what was looked at, and how many lines stop a run or make it doubtful."""
    count = {f"{kind}s": sum(one.level is kind for one in findings) for kind in (Level.PROBLEM, Level.WARNING)}
    return {"findings": [one._asdict() for one in findings], **count}


def of_audit(audit: "Audit", subject: str) -> dict[str, Any]:
    """`audit`: every check with what does not follow."""
    checks = [
        {
            "check": check.title,
            "kind": kind,
            "numbers": check.numbers,
            "findings": [finding._asdict() for finding in check.findings],
            "unchecked": list(check.unchecked),
        }
        for kind, found in (("derived", audit.derived), ("other", audit.others))
        for check in found
    ]
    return {"subject": subject, "checks": checks, "findings": len(audit.findings)}


def of_paper_table(table: "PaperTable", files: Sequence[Path]) -> dict[str, Any]:
    """`paper`: the table in unscaled numbers, and the files that were written."""
    return {
        "name": table.name,
        "caption": table.caption,
        "columns": [
            {"key": one.key, "group": one.group, "title": one.title, "direction": one.direction, "unit": one.unit}
            for one in table.headings
        ],
        "rows": [
            {
                "names": dict(zip(table.stubs, row.names, strict=True)),
                "cells": [
                    {
                        "column": cell.heading.key,
                        **_estimate(cell.estimate),
                        "mark": cell.mark.value or None,
                        "published": cell.published or None,
                        "notes": list(cell.notes),
                    }
                    for cell in row.cells
                ],
            }
            for row in table.rows
        ],
        "notes": list(table.notes),
        "files": [str(path) for path in files],
    }


def of_tuning(outcome: "Outcome") -> dict[str, Any]:
    """`tune`: every trial, the best, the Pareto front, and what was chosen."""
    best = outcome.best
    return {
        "method": outcome.plan.kind.name,
        "objective": outcome.plan.config.objective,
        "folder": str(outcome.plan.root),
        "trials": [asdict(trial) for trial in outcome.trials],
        "best": best.number if best else None,
        "pareto": [trial.number for trial in outcome.pareto],
        "chosen": {**outcome.plan.config.arm.settings, **best.settings} if best else None,
    }


def _estimate(estimate: Estimate | None) -> dict[str, float | int | None]:
    names = ("value", "low", "high", "n", "unscored")
    return {name: None if estimate is None else getattr(estimate, name) for name in names}
