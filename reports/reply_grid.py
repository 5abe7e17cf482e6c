"""Replies on a grid of prompts, seeds and arms: which reply stands beside which, and how verdicts move between arms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Int

from reports.base import Sample

MISSING = -1
"""Instead of a verdict, where an arm has not answered a prompt."""

Replies = Mapping[int, Mapping[int, Sample]]
"""Of one arm: by seed, then by the prompt's place on the grid."""
Codes = Mapping[int, Int[np.ndarray, " prompts"]]
"""Of one arm, by seed: which verdict each prompt's reply got, or `MISSING`."""
Moves = list[list[int]]
"""How many pairs have which verdict on the left (rows) and on the right (columns)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """All replies of a run. Prompts of a benchmark stand together, in the order in which they were first met."""

    prompts: Sequence[Sample]
    """One reply to each prompt, whichever: what it says of the prompt counts."""
    positions: Sequence[int]
    """Of each prompt within its benchmark, from 0."""
    arms: Mapping[str, Replies]
    verdicts: Sequence[str]


def grid(samples: Sequence[Sample], arms: Sequence[str]) -> Grid:
    """Arms without replies are left out; the others keep the given order."""
    met: dict[str, dict[str, Sample]] = {}
    for sample in samples:
        met.setdefault(sample.benchmark, {}).setdefault(sample.prompt_id, sample)
    prompts = [sample for ids in met.values() for sample in ids.values()]
    places = {(sample.benchmark, sample.prompt_id): place for place, sample in enumerate(prompts)}
    found: dict[str, dict[int, dict[int, Sample]]] = {name: {} for name in arms}
    for sample in samples:
        found.setdefault(sample.arm, {}).setdefault(sample.seed, {})[places[sample.benchmark, sample.prompt_id]] = (
            sample
        )
    return Grid(
        prompts,
        [position for ids in met.values() for position in range(len(ids))],
        {name: dict(sorted(replies.items())) for name, replies in found.items() if replies},
        tuple(dict.fromkeys(sample.verdict for sample in samples)),
    )


def beside(left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    """Seeds of two arms that are held against each other.

    An arm of one seed stands beside every seed of the other: greedy decoding makes it the arm's reply to any seed.
    """
    if len(right) == 1 < len(left):
        return [(seed, right[0]) for seed in left]
    if len(left) == 1:
        return [(left[0], seed) for seed in right]
    return [(seed, seed) for seed in sorted({*left, *right})]


def moves(grid: Grid) -> dict[tuple[str, str], Moves]:
    """Of every two arms, the earlier on the left."""
    codes = {name: _codes(grid, replies) for name, replies in grid.arms.items()}
    return {(a, b): _moves(codes[a], codes[b], len(grid.verdicts)) for a, b in combinations(codes, 2)}


def fitting(grid: Grid, replies: int, characters: int) -> int:
    """How many prompts of each benchmark fit within so many replies and characters, all arms and seeds counted."""
    counts, lengths = (np.zeros(max(grid.positions, default=-1) + 1, dtype=np.int64) for _ in range(2))
    for prompt, position in zip(grid.prompts, grid.positions, strict=True):
        lengths[position] += len(prompt.question) + len(prompt.prompt)
    for place, sample in _all_replies(grid):
        counts[grid.positions[place]] += 1
        lengths[grid.positions[place]] += len(sample.reply)
    fits = (counts.cumsum() <= replies) & (lengths.cumsum() <= characters)
    return int(fits.sum())


def _all_replies(grid: Grid) -> Iterator[tuple[int, Sample]]:
    for replies in grid.arms.values():
        for row in replies.values():
            yield from row.items()


def _codes(grid: Grid, replies: Replies) -> Codes:
    code = {verdict: number for number, verdict in enumerate(grid.verdicts)}
    found = {}
    for seed, row in replies.items():
        found[seed] = np.full(len(grid.prompts), MISSING)
        found[seed][list(row)] = [code[sample.verdict] for sample in row.values()]
    return found


def _moves(left: Codes, right: Codes, verdicts: int) -> Moves:
    counted = np.zeros(verdicts * verdicts, dtype=np.int64)
    for a, b in beside(list(left), list(right)):
        if a in left and b in right:
            both = (left[a] != MISSING) & (right[b] != MISSING)
            counted += np.bincount(left[a][both] * verdicts + right[b][both], minlength=len(counted))
    rows: Moves = counted.reshape(verdicts, verdicts).tolist()
    return rows
