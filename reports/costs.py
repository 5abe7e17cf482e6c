"""What the arms cost, as one table: the fit, and each reply beside those of `default`."""

from collections.abc import Callable
from typing import NamedTuple

from reports.base import Arm, Comparison
from reports.leaderboard import MISSING


class Cost(NamedTuple):
    """One kind of cost."""

    title: str
    unit: str
    key: str
    """In `Arm.cost`."""
    text: Callable[[float], str]
    factor: float = 1.0


COSTS = (
    Cost("Fit", "s", "seconds", "{:,.1f}".format),
    Cost("Fit", "forward equivalents", "forward_equivalents", "{:,.0f}".format),
    Cost("Peak memory of the fit", "MiB", "peak_bytes", "{:,.0f}".format, 2**-20),
    Cost("Fit before each sample", "forward equivalents", "forward_equivalents_per_sample", "{:,.0f}".format),
    Cost("More prompt", "tokens a reply", "extra_tokens_per_reply", "{:,.1f}".format),
    Cost("More passes", "a reply", "extra_passes_per_reply", "{:,.2f}".format),
    Cost("Speed", "tokens/s", "tokens_per_second", "{:,.0f}".format),
)


class Shown(NamedTuple):
    """One cell."""

    text: str
    value: float | None
    """To sort by."""


class CostTable(NamedTuple):
    """Costs that any arm has, by arm."""

    headers: tuple[tuple[str, str, str], ...]
    """Title, unit, and the order that puts the cheapest first."""
    rows: tuple[tuple[Arm, tuple[Shown, ...]], ...]


def cost_table(comparison: Comparison) -> CostTable | None:
    """None where nothing was measured."""
    there = [one for one in COSTS if any(arm.cost.get(one.key) for arm in comparison.arms)]
    if not there:
        return None
    is_timed = any(arm.cost.get("tokens_per_second") for arm in comparison.arms[:1])
    headers = [(one.title, one.unit, "descending" if one.title == "Speed" else "ascending") for one in there]
    headers += [("Speed", f"of {comparison.arms[0].name}", "descending")] if is_timed else []
    rows = [(arm, _row(comparison, arm, there, is_timed=is_timed)) for arm in comparison.arms]
    return CostTable(tuple(headers), tuple(rows))


def _row(comparison: Comparison, arm: Arm, there: list[Cost], *, is_timed: bool) -> tuple[Shown, ...]:
    shown = [_shown(arm, one) for one in there]
    if is_timed:
        ours, theirs = (one.cost.get("tokens_per_second") for one in (arm, comparison.arms[0]))
        share = ours / theirs if ours and theirs else None
        shown.append(Shown(MISSING if share is None else f"{share:.2f}", share))
    return tuple(shown)


def _shown(arm: Arm, cost: Cost) -> Shown:
    """A failed fit has cost nothing that was measured; a finished one may have cost nothing."""
    value = arm.cost.get(cost.key)
    return Shown(MISSING, None) if value is None else Shown(cost.text(value * cost.factor), value * cost.factor)
