"""Any two arms side by side, prompt by prompt: what the page offers to choose from, what it holds and what it lacks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.base import Comparison
from reports.packing import column, index, packed
from reports.reply_grid import Grid, Moves, fitting, grid, moves

MOST_REPLIES = 200_000
"""On one page: with 20 arms of 10,000, a filter takes well under a fifth of a second."""
MOST_CHARACTERS = 80_000_000
"""Of prompts and replies on one page: English words of that length pack into about 30 MB."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """For `side_by_side.html.j2`."""

    arms: Sequence[str]
    """Those that have replies."""
    right: str
    """The arm that differs most from the first one."""
    verdicts: Sequence[str]
    benchmarks: Sequence[str]
    intents: Sequence[str]
    strategies: Sequence[str]
    templates: Sequence[str]
    seeds: Sequence[str]
    notes: Sequence[str]
    index: str
    columns: Sequence[str]
    """Packed, one an arm."""


def side_by_side(comparison: Comparison) -> SideBySide:
    """The first arm against the one that flips most verdicts, and every other two on demand."""
    found = grid(comparison.samples, [arm.name for arm in comparison.arms])
    most = fitting(found, MOST_REPLIES, MOST_CHARACTERS)
    kept = [place for place, position in enumerate(found.positions) if position < most]
    prompts, counted = found.prompts, moves(found)
    return SideBySide(
        arms=tuple(found.arms),
        right=_most_flips(list(found.arms), counted),
        verdicts=sorted(filter(None, found.verdicts)),
        benchmarks=_distinct(prompt.benchmark for prompt in prompts),
        intents=_distinct(str(prompt.intent) for prompt in prompts),
        strategies=sorted(_distinct(strategy for prompt in prompts for strategy in prompt.strategies)),
        templates=sorted(_distinct(prompt.template for prompt in prompts)),
        seeds=_distinct(str(seed) for seed in sorted({seed for arm in found.arms.values() for seed in arm})),
        notes=_notes(comparison, found, most),
        index=packed(index(found, kept, counted)),
        columns=[packed(column(found, replies, kept)) for replies in found.arms.values()],
    )


def _distinct(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name]


def _most_flips(arms: Sequence[str], counted: Mapping[tuple[str, str], Moves]) -> str:
    """Among the other arms; the first arm itself where it is alone, and nothing where there is no arm."""
    return max(arms[1:], key=lambda arm: _flips(counted[arms[0], arm]), default="".join(arms[:1]))


def _flips(counts: Moves) -> int:
    return sum(map(sum, counts)) - sum(row[place] for place, row in enumerate(counts))


def _notes(comparison: Comparison, found: Grid, most: int) -> list[str]:
    if not found.arms:
        return ["This run holds no replies yet."]
    notes = []
    if len(found.arms) == 1:
        notes.append(f"Only {next(iter(found.arms))} has replies so far: there is nothing to hold it against.")
    notes += _unfinished(comparison, found)
    positions = [found.positions[place] for arm in found.arms.values() for row in arm.values() for place in row]
    left_out = sum(position >= most for position in positions)
    if left_out:
        notes.append(
            f"Of {len(positions):,} replies this page leaves out {left_out:,}: it holds those to the first "
            f"{most:,} prompts of each benchmark. All are in the run's folder, replies/ARM/seed-N/BENCHMARK.jsonl; "
            "flips are counted over all."
        )
    return notes


def _unfinished(comparison: Comparison, found: Grid) -> list[str]:
    """One line on the arms that have not answered every prompt with every seed of theirs."""
    told = []
    for arm in comparison.arms:
        rows = found.arms.get(arm.name, {})
        wanted, there = len(rows) * len(found.prompts), sum(map(len, rows.values()))
        if not rows:
            told.append(f"{arm.name} has no replies")
        elif there < wanted:
            told.append(f"{arm.name} lacks {wanted - there:,} of {wanted:,}")
    return [f"Not finished: {'; '.join(told)}."] if told else []
