"""What a comparison found, in sentences that a reader of one paragraph can take away.

Only what the paired tests support is told as a difference; all else is within noise, or cannot be told.
"""

from collections.abc import Sequence
from typing import NamedTuple

from metrics.base import Difference, Direction, Estimate
from reports.base import Arm, Column, Comparison, Mark
from reports.controls import is_control
from reports.differences import p_text
from reports.leaderboard import cell, number, readable, scale

MOST_ARMS = 8
"""Of more arms than these only the best `SHOWN` are told of."""
SHOWN = 6
MOST_NAMED = 3
"""Numbers within noise that are named; more are counted."""
UNFINISHED = "cells that have not finished are left out"


class Found(NamedTuple):
    """The paragraph: one sentence on all, then a line an arm."""

    lead: str
    lines: tuple[str, ...]


class Told(NamedTuple):
    """A number of one arm that was compared with the first arm's."""

    column: Column
    difference: Difference


def finding(comparison: Comparison) -> Found:
    """The arm of the highest SU-F1 first, controls last, failed arms after them."""
    default, *others = comparison.arms
    if not any(one.value is not None for one in comparison.estimates.values()):
        return Found("Nothing can be told yet: no benchmark has been finished, or no reply could be scored.", ())
    if not others:
        return Found(f"Nothing can be told: {default.name} is the only arm, and there is no other to compare.", ())
    if not comparison.differences:
        line = f"Nothing can be told yet: no arm shares a finished benchmark with {default.name}."
        return Found(line, tuple(_silent(comparison, [arm for arm in others if arm.failure])))
    told = {name for name, key in comparison.differences if key in {column.key for column in comparison.headline}}
    ordered = sorted((arm for arm in others if arm.name in told), key=lambda arm: _place(comparison, arm))
    shown = ordered if len(ordered) <= MOST_ARMS else ordered[:SHOWN]
    lines = [_line(comparison, arm) for arm in shown]
    if left := len(ordered) - len(shown):
        lines.append(f"{left} more {'arm is' if left == 1 else 'arms are'} in the table.")
    return Found(_lead(comparison), (*lines, *_silent(comparison, [arm for arm in others if arm.name not in told])))


def _silent(comparison: Comparison, arms: Sequence[Arm]) -> list[str]:
    """Arms of which nothing can be told, those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for arm in arms:
        reasons.setdefault(_why_nothing(comparison, arm), []).append(_named(arm))
    return [
        f"Of {_listed(names) if len(names) <= MOST_NAMED else f'{len(names)} arms'} nothing can be told: {reason}."
        for reason, names in reasons.items()
    ]


def _lead(comparison: Comparison) -> str:
    """Which arm has the highest SU-F1, and whether a test tells it from the others."""
    column = _ranking(comparison)
    others = len({name for name, _ in comparison.differences})
    compared = f"{others} {'arm was' if others == 1 else 'arms were'} compared with {comparison.arms[0].name}"
    ranked = _ranked(comparison, column) if column else []
    if column is None or len(ranked) < 2:
        return f"{compared}."
    top, value = ranked[0]
    best = f"{top.name} has the highest SU-F1 ({number(column, value)}, n {_count(comparison, top, column)})"
    mark = comparison.marks.get((top.name, column.key))
    if mark is Mark.BEST:
        all_others = "every other arm" if len(ranked) == len(comparison.arms) else "all others that have one"
        return f"{compared}. {best}; the test tells it from {all_others}."
    if mark is Mark.TIED:
        tied = [arm.name for arm, _ in ranked[1:] if comparison.marks.get((arm.name, column.key)) is Mark.TIED]
        names = _listed(tied) if len(tied) <= MOST_NAMED else f"{len(tied)} other arms"
        return f"{compared}. {best}; the test does not tell it from {names}."
    return f"{compared}."


def _line(comparison: Comparison, arm: Arm) -> str:
    """What differs, and what is missing."""
    columns = [column for column in comparison.headline if column.metric != "su_f1"] or list(comparison.headline)
    found = [
        Told(column, comparison.differences[arm.name, column.key])
        for column in columns
        if (arm.name, column.key) in comparison.differences
    ]
    sentence = _compared(comparison, arm, found)
    missing = [_noun(column) for column in columns if _is_missing(comparison, arm, column)]
    asides = [
        f"Missing: {_listed(missing)}; {UNFINISHED}." if missing else "",
        f"It failed later: {arm.failure}." if arm.failure else "",
    ]
    return " ".join([sentence, *(aside for aside in asides if aside)])


def _compared(comparison: Comparison, arm: Arm, found: Sequence[Told]) -> str:
    default = comparison.arms[0].name
    real = [one for one in found if one.difference.is_significant]
    noise = [_noun(one.column) for one in found if not one.difference.is_significant]
    better = [one for one in real if _is_better(one)]
    worse = [one for one in real if not _is_better(one)]
    if not real:
        pairs = sorted({one.difference.n_pairs for one in found})
        count = f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]}-{pairs[-1]}"
        return f"{_named(arm)} shows no difference to {default} beyond noise (n {count})."
    text = _listed([_clause(one, default if place == 0 else "") for place, one in enumerate(better)])
    if worse:
        costs = _listed([_clause(one, "" if better or place else default) for place, one in enumerate(worse)])
        text = f"{text}, but {costs}" if better else costs
    if noise:
        text += f"; {_noise(noise)}"
    return f"{_named(arm)} {text}."


def _noise(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the difference in {names[0]} is within noise"
    if len(names) <= MOST_NAMED:
        return f"the differences in {_listed(names)} are within noise"
    return f"the other {len(names)} differences are within noise"


def _clause(told: Told, default: str) -> str:
    """`refuses 25.0 points more attacked prompts than default (p < 0.001, n 456)`."""
    column, difference = told
    more = difference.value > 0
    size = _size(column, abs(difference.value))
    than = f" than {default}" if default else ""
    p_value = p_text(difference.p_adjusted)
    evidence = f"(p {p_value if p_value.startswith('<') else f'= {p_value}'}, n {difference.n_pairs})".replace(
        "<", "< "
    )
    if column.metric == "refusal_rate":
        return f"refuses {size} {'more' if more else 'fewer'} {readable(column.benchmark)} prompts{than} {evidence}"
    direction = "higher" if more else "lower"
    return f"has {size} {direction} {_title(column)} on {readable(column.benchmark)}{than} {evidence}"


def _size(column: Column, value: float) -> str:
    unit = scale(column).symbol
    points = "points" if unit == "%" else unit
    return f"{number(column, value)} {points}".strip()


def _why_nothing(comparison: Comparison, arm: Arm) -> str:
    if arm.failure:
        return f"the arm failed ({arm.failure})"
    estimates = [comparison.estimates.get((arm.name, column.key)) for column in comparison.headline]
    if any(one is not None and one.value is None for one in estimates):
        return "no reply could be scored"
    if any(one is not None for one in estimates):
        return f"no prompt has a score that {comparison.arms[0].name} has too"
    return "no benchmark of the leaderboard is finished"


def _is_missing(comparison: Comparison, arm: Arm, column: Column) -> bool:
    """Whether others have this number and the arm does not."""
    return (arm.name, column.key) not in comparison.estimates and (
        comparison.arms[0].name,
        column.key,
    ) in comparison.estimates


def _is_better(told: Told) -> bool:
    return (told.difference.value > 0) == (told.column.direction is Direction.HIGHER)


def _noun(column: Column) -> str:
    return f"{readable(column.benchmark)} {_title(column)}"


def _title(column: Column) -> str:
    """As it stands within a sentence."""
    if column.metric == "refusal_rate":
        return "refusals"
    return column.title if column.title.isupper() or column.metric == "su_f1" else column.title.lower()


def _named(arm: Arm) -> str:
    return f"{arm.name} (a control)" if is_control(arm) else arm.name


def _place(comparison: Comparison, arm: Arm) -> tuple[bool, float]:
    column = _ranking(comparison)
    value = _value(comparison, arm, column) if column else None
    return is_control(arm), -(value if value is not None else -1.0)


def _ranking(comparison: Comparison) -> Column | None:
    """The SU-F1 that arms are ordered by: that of the first pairing."""
    return next((column for column in comparison.headline if column.metric == "su_f1"), None)


def _ranked(comparison: Comparison, column: Column) -> list[tuple[Arm, float]]:
    values = [(arm, _value(comparison, arm, column)) for arm in comparison.arms]
    return sorted([(arm, value) for arm, value in values if value is not None], key=lambda one: -one[1])


def _value(comparison: Comparison, arm: Arm, column: Column) -> float | None:
    return cell(comparison, arm, column).sort_value


def _count(comparison: Comparison, arm: Arm, column: Column) -> int:
    estimate: Estimate = comparison.estimates[arm.name, column.key]
    return estimate.n


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
