"""Two arms side by side as plain text: every number with its test, then the prompts on which they part.

No prompt or reply is printed: a prompt is called by its id, without the question that some sets put into theirs.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from reports.base import Column, Comparison
from reports.differences import p_text
from reports.flips import Flip, Flips, find_flips
from reports.foreign import one_line
from reports.leaderboard import MISSING, NOT_SIGNIFICANT, arrow, cell, cell_of, readable, scale, signed
from reports.prompt_names import prompt_name

MOST_NAMED = 20
"""Flips of one benchmark that are named one by one."""
TITLE_WIDTH = 20
HEADERS = ("", "A", "B", "B - A", "p", "", "n")


def render(comparison: Comparison, notes: Sequence[str], *, is_whole: bool = False, width: int = 80) -> str:
    """The page of two arms.

    Args:
        comparison: Whose first arm is the baseline.
        notes: What differs between them besides the numbers, and what was left out.
        is_whole: Whether every number and every flip is listed, not those of the leaderboard and the first flips.
        width: Of the longest line, at least 80 for the table.
    """
    a, b = (one_line(arm.name) for arm in comparison.arms)
    opening = [f"A  {a}", f"B  {b}", f"Model {comparison.model}, judge {comparison.judge}", *notes]
    columns = comparison.columns if is_whole else comparison.headline
    blocks = ["\n".join(_wrapped(opening, width)), _table(comparison, columns), "\n".join(_wrapped(_legend(), width))]
    blocks += ["\n".join(_listed(flips, width, is_whole=is_whole)) for flips in find_flips(comparison)]
    return "\n\n".join(blocks) + "\n"


def facts(comparison: Comparison, notes: Sequence[str]) -> dict[str, Any]:
    """The same and more for other programs: every number, and every flip under its whole id."""
    a, b = comparison.arms
    return {
        "a": a.name,
        "b": b.name,
        "model": comparison.model,
        "judge": comparison.judge,
        "notes": list(notes),
        "numbers": [_number(comparison, column) for column in comparison.columns],
        "flips": [
            {"benchmark": found.benchmark, "pairs": found.pairs, "became": dict(found.became), "prompts": _told(found)}
            for found in find_flips(comparison)
        ],
    }


def _table(comparison: Comparison, columns: Sequence[Column]) -> str:
    rows = [_row(comparison, column) for column in columns]
    align = ("left", "right", "right", "right", "right", "left", "right")
    return tabulate(rows, HEADERS, tablefmt="simple", colalign=align if rows else None, disable_numparse=True)


def _row(comparison: Comparison, column: Column) -> list[str]:
    category = f"[{column.category}]" if column.category else ""
    title = f"{readable(column.benchmark)} {column.title}{category} {scale(column).symbol} {arrow(column)}"
    a, b = (cell(comparison, arm, column) for arm in comparison.arms)
    difference = comparison.differences.get((comparison.arms[1].name, column.key))
    texts = [_folded(title, TITLE_WIDTH), a.value, b.value]
    if difference is None:
        return [*texts, MISSING, "", "", ""]
    interval = f"{signed(column, difference.low)} to {signed(column, difference.high)}"
    delta = f"{signed(column, difference.value)}\n{interval}"
    p_value = p_text(difference.p_adjusted)
    return [*texts, delta, p_value, _verdict(comparison, column), str(difference.n_pairs)]


def _verdict(comparison: Comparison, column: Column) -> str:
    """`better`, `worse`, `different` where neither way is better, or `n.s.`."""
    b = comparison.arms[1].name
    shown = cell_of(column, comparison.estimates.get((b, column.key)), comparison.differences.get((b, column.key)))
    return shown.effect or NOT_SIGNIFICANT


def _legend() -> list[str]:
    return [
        "B - A on the same prompts, below it its 95 % interval; p of a paired test, after Holm where several arms are "
        "compared; n prompts; n.s.: no difference at p < 0.05. ↑ higher is better, ↓ lower is better."
    ]


def _listed(found: Flips, width: int, *, is_whole: bool) -> Iterator[str]:
    """How many became what, then the prompts, a line each."""
    became = ", ".join(f"{count} became {verdict}" for verdict, count in sorted(found.became.items()))
    title = f"{readable(found.benchmark)}: {became or 'no verdict changed'}, of {found.pairs}"
    yield from _wrapped([title], width)
    named = found.flips if is_whole else found.flips[:MOST_NAMED]
    for flip in named:
        yield from textwrap.wrap(_line(flip), width, initial_indent="  ", subsequent_indent="    ")
    if len(found.flips) > len(named):
        yield f"  and {len(found.flips) - len(named)} more; --all lists them"


def _line(flip: Flip) -> str:
    sample = flip.before
    seed = "" if flip.before.seed == flip.after.seed == 0 else f"seed {flip.before.seed}"
    if flip.before.seed != flip.after.seed:
        seed += f" / {flip.after.seed}"
    parts = [prompt_name(sample.prompt_id, sample.question), flip.change, sample.category, sample.attack, seed]
    return one_line("; ".join(part for part in parts if part))


def _number(comparison: Comparison, column: Column) -> dict[str, Any]:
    arms = [comparison.estimates.get((arm.name, column.key)) for arm in comparison.arms]
    a, b = ({"value": one.value, "low": one.low, "high": one.high, "n": one.n} if one else None for one in arms)
    difference = comparison.differences.get((comparison.arms[1].name, column.key))
    tested: Mapping[str, Any] | None = None
    if difference:
        tested = {
            "value": difference.value,
            "low": difference.low,
            "high": difference.high,
            "p_value": difference.p_value,
            "p_adjusted": difference.p_adjusted,
            "n_pairs": difference.n_pairs,
            "unpaired": difference.unpaired,
            "test": difference.test,
            "verdict": _verdict(comparison, column),
        }
    return {"column": column.key, "unit": column.unit, "a": a, "b": b, "difference": tested}


def _told(found: Flips) -> list[dict[str, Any]]:
    return [
        {
            "prompt_id": flip.before.prompt_id,
            "seeds": [flip.before.seed, flip.after.seed],
            "category": flip.before.category,
            "attack": flip.before.attack,
            "before": flip.before.verdict,
            "after": flip.after.verdict,
        }
        for flip in found.flips
    ]


def _wrapped(texts: Sequence[str], width: int) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(one_line(text), width, subsequent_indent="   ")


def _folded(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(one_line(text), width))
