"""Refusals by the topic of a prompt, where its source names topics: descriptions without a test."""

from typing import TYPE_CHECKING, NamedTuple

from metrics.base import Estimate, Verdict
from reports.base import Column, Comparison, Sample
from reports.leaderboard import Cell, cell_of

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

MOST_TOPICS = 24
"""A benchmark of more has no table: a handful of prompts each tells nothing."""
VALUES = {Verdict.REFUSED.value: 1.0, Verdict.COMPLIED.value: 0.0}


class Topics(NamedTuple):
    """One benchmark."""

    column: Column
    """The refusals of all of its prompts."""
    counts: dict[str, int]
    """Prompts by topic, in alphabetical order."""
    cells: dict[tuple[str, str], Cell]
    """By arm and topic; what was not run is missing."""


def topics(comparison: Comparison) -> list[Topics]:
    """Of every benchmark whose prompts have from two to `MOST_TOPICS` topics."""
    found = []
    for column in comparison.columns:
        if column.metric == "refusal_rate" and not column.section:
            samples = [one for one in comparison.samples if one.benchmark == column.benchmark]
            names = sorted({one.category for one in samples})
            if 1 < len(names) <= MOST_TOPICS:
                found.append(_topics(column, samples, names))
    return found


def _topics(column: Column, samples: list[Sample], names: list[str]) -> Topics:
    groups: dict[tuple[str, str], list[Sample]] = {}
    for one in samples:
        groups.setdefault((one.arm, one.category), []).append(one)
    counts = {name: len({one.prompt_id for one in samples if one.category == name}) for name in names}
    return Topics(column, counts, {place: cell_of(column, _rate(some)) for place, some in groups.items()})


def _rate(samples: list[Sample]) -> Estimate:
    from metrics.estimation import rate

    return rate(_scores(samples))


def _scores(samples: list[Sample]) -> "Float[np.ndarray, 'seed prompt']":
    """What the judge is unsure of is unscored."""
    import numpy as np

    seeds = {seed: row for row, seed in enumerate(sorted({one.seed for one in samples}))}
    prompts = {name: place for place, name in enumerate(dict.fromkeys(one.prompt_id for one in samples))}
    scores = np.full((len(seeds), len(prompts)), np.nan)
    for one in samples:
        scores[seeds[one.seed], prompts[one.prompt_id]] = VALUES.get(one.verdict, np.nan)
    return scores
