"""`results.json`: every number of a comparison for other programs, with the keys that lm-evaluation-harness users know.

It holds nothing that changes when the same command is run again: two runs give equal bytes. Dates, versions and
hardware are in `run.json`, times and speeds in `costs.json`.
"""

from dataclasses import asdict
from typing import Any

from metrics.base import Difference, Direction, Estimate, KnownError, Z
from metrics.rogan_gladen import refusal
from reports.base import Comparison
from reports.cautions import cautions

SCHEMA_VERSION = 1


def results(comparison: Comparison, git_hash: str | None) -> dict[str, Any]:
    """Content of `results.json`. What has no number is null."""
    benchmarks: Any = comparison.protocol["benchmarks"]
    return {
        "schema_version": SCHEMA_VERSION,
        "model": comparison.model,
        "judge": comparison.judge,
        "results": _results(comparison),
        "higher_is_better": _directions(comparison),
        "n-samples": {
            name: {"original": facts["of"], "effective": facts["prompts"]} for name, facts in benchmarks.items()
        },
        "versions": {name: facts["revision"] for name, facts in benchmarks.items()},
        "config": comparison.protocol,
        "git_hash": git_hash,
        "arms": [
            {
                "name": arm.name,
                "method": arm.method,
                "paper": arm.paper,
                "fidelity": arm.fidelity,
                "deviations": arm.deviations,
                "settings": arm.settings,
                "tuning": arm.tuning or None,
                "diagnostics": arm.diagnostics,
                "failure": arm.failure or None,
            }
            for arm in comparison.arms
        ],
        "estimates": [
            {"arm": arm, "column": key, **_estimate(estimate)} for (arm, key), estimate in comparison.estimates.items()
        ],
        "comparisons": [
            {"arm": arm, "baseline": comparison.arms[0].name, "column": key, **_difference(difference)}
            for (arm, key), difference in comparison.differences.items()
        ],
        "warnings": cautions(comparison),
        "known_error": _known_error(comparison.known_error),
        "corrected": [
            {"arm": arm, "column": key, **_estimate(estimate)} for (arm, key), estimate in comparison.corrected.items()
        ],
    }


def costs(comparison: Comparison) -> dict[str, Any]:
    """Content of `costs.json`: by arm, what fitting took and how fast replies came; and what judging took."""
    judging = {"judging": comparison.judging} if comparison.judging else {}
    return {"schema_version": SCHEMA_VERSION, "arms": {arm.name: arm.cost for arm in comparison.arms}, **judging}


def _results(comparison: Comparison) -> dict[str, Any]:
    """By benchmark, arm and metric; `_stderr` is the interval's width over 3.92, as if it were a normal one."""
    table: dict[str, Any] = {}
    for column in comparison.columns:
        rows = table.setdefault(column.benchmark, {})
        for arm in comparison.arms:
            estimate = comparison.estimates.get((arm.name, column.key))
            if estimate is not None:
                cell = rows.setdefault(arm.name, {})
                cell[column.metric] = estimate.value
                cell[f"{column.metric}_stderr"] = _standard_error(estimate)
    return table


def _directions(comparison: Comparison) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for column in comparison.columns:
        is_higher = None if column.direction is Direction.NEITHER else column.direction is Direction.HIGHER
        table.setdefault(column.benchmark, {})[column.metric] = is_higher
    return table


def _standard_error(estimate: Estimate) -> float | None:
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / (2 * Z)


def _estimate(estimate: Estimate) -> dict[str, float | int | None]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "unscored": estimate.unscored,
    }


def _difference(difference: Difference) -> dict[str, float | int | str | None]:
    return {
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "p_value": difference.p_value,
        "p_adjusted": difference.p_adjusted,
        "n_pairs": difference.n_pairs,
        "unpaired": difference.unpaired,
        "discordant": difference.discordant,
        "test": difference.test,
        "p_exact": difference.p_exact,
        "effect": difference.effect.value if difference.effect else None,
        "effect_name": difference.effect.name if difference.effect else None,
    }


def _known_error(error: KnownError | None) -> dict[str, Any] | None:
    """With why nothing is corrected by it, if it is not; null where it was not measured."""
    return {**asdict(error), "refusal": refusal(error) or None} if error else None
