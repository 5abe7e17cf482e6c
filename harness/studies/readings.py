"""What is found when the same arms are read several times: how they rank each time, and whether that is the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.studies.agreement import Agreement, agreement, is_ranking, survives, told
from harness.studies.base import Finding, Finished
from harness.studies.wording import MISSING, cell


def finding(readings: Mapping[str, Finished], what: str, change: Callable[[str, str], str]) -> Finding:
    """Every reading against the first.

    Args:
        readings: By name; the first is the one to go by.
        what: What the readings differ in, for instance `judge`.
        change: Words for the change from the first to another: `with keyword instead of grammar`.
    """
    (standard, first), *others = readings.items()
    found = {name: agreement(first, other) for name, other in others}
    parts = [told(one, change(standard, name)) for name, one in found.items()]
    return Finding(
        sentence=f"{_answer(list(found.values()), what)}: {'; '.join(parts)}.",
        headers=["arm", *(f"{name}: {number}" for name in readings for number in ("rank", "SU-F1", "refused, %"))],
        rows=[[arm, *(text for one in readings.values() for text in _cells(one, arm))] for arm in first.evidence.arms],
        notes=[
            "Refusals of the harmful benchmark. The interval of Kendall's tau-b resamples seeds and prompts together "
            "for all arms. A pair swaps beyond noise if both readings tell the two apart (p < 0.05 by the paired test "
            "of that pair alone); differences from the unprotected model are significant after Holm's correction.",
        ],
        facts={name: _facts(one._asdict()) for name, one in found.items()},
    )


def _answer(found: Sequence[Agreement], what: str) -> str:
    """Of the changes that leave two rankings to compare."""
    ranked = [one for one in found if is_ranking(one)]
    if not ranked:
        return "No finding"
    kept = sum(map(survives, ranked))
    return (
        f"The ranking of arms by SU-F1 survives {kept} of {len(ranked)} changes of {what}, with no significant "
        "difference lost and no two arms swapped beyond noise"
    )


def _cells(run: Finished, arm: str) -> list[str]:
    refusals = run.column(f"{run.pairing.harmful}/refusal_rate")
    return [_rank(run, arm), cell(run, arm, run.su_f1), cell(run, arm, refusals)]


def _rank(run: Finished, arm: str) -> str:
    """From 1, the best; arms that are tied share the better place."""
    estimates = {name: run.estimate(name, run.su_f1.key) for name in run.evidence.arms}
    values = {name: one.value for name, one in estimates.items() if one is not None and one.value is not None}
    return str(1 + sum(value > values[arm] for value in values.values())) if arm in values else MISSING


def _facts(found: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in found.items()}
    return {**facts, "swaps": [swap._asdict() for swap in found["swaps"]]}
