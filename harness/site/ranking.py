"""The arms of a group by SU-F1: a test for every pair on the same prompts, and the places that the tests leave open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from harness.columns import Pairing
from harness.differences import paired_seeds
from harness.site.entries import Held
from metrics.base import Difference
from metrics.paired import Sides, holm, safety_utility
from metrics.ranking import Places, places, with_tails
from metrics.su_f1 import Bounds, Scores
from reports.base import Column
from reports.site.base import Entry, Ranking, Row

SHOWN = (
    ("harmful", "refusal_rate"),
    ("benign", "refusal_rate"),
    ("benign", "entropy"),
    ("harmful", "degenerate_rate"),
    ("benign", "degenerate_rate"),
)
"""Beside SU-F1: side of the pairing, and metric."""

Pairs = Mapping[tuple[int, int], Difference]
"""By the places of both arms, the first minus the second."""


def ranking(
    pairing: Pairing, holders: Sequence[Held], entries: Sequence[Entry], columns: Sequence[Column], bounds: Bounds
) -> Ranking:
    """One ranking of a group's arms. `entries` are the `holders`, in their order."""
    by_key = {column.key: column for column in columns}
    score = by_key[f"{pairing.name}/su_f1"]
    wanted = [f"{getattr(pairing, side)}/{metric}" for side, metric in SHOWN]
    pairs = differences(pairing, holders, bounds)
    ranked = [place for place, one in enumerate(entries) if _value(one, score) is not None]
    found = dict(zip(ranked, _places(ranked, pairs), strict=True))
    baseline = next((place for place, one in enumerate(entries) if one.is_baseline), None)
    rows = [Row(one, found.get(place), _delta(pairs, place, baseline)) for place, one in enumerate(entries)]
    shown = tuple(by_key[key] for key in wanted if key in by_key)
    return Ranking(pairing.name, score, shown, tuple(sorted(rows, key=lambda row: _order(row, score))))


def unranked(entries: Sequence[Entry], columns: Sequence[Column]) -> Ranking:
    """Arms side by side where no pair of a harmful and a benign benchmark makes an SU-F1."""
    shown = tuple(column for column in columns if column.is_headline or column.metric == "refusal_rate")
    plain = tuple(column for column in shown if not column.section)
    title = "+".join(dict.fromkeys(column.benchmark for column in plain))
    return Ranking(title, None, plain, tuple(Row(one, None) for one in entries))


def differences(pairing: Pairing, holders: Sequence[Held], bounds: Bounds) -> dict[tuple[int, int], Difference]:
    """SU-F1 of every pair of arms, p values adjusted over all pairs of the group (Holm)."""
    sides = {place: found for place, one in enumerate(holders) if (found := _sides(one, pairing)) is not None}
    raw = {
        (first, second): difference
        for first, second in combinations(sides, 2)
        if (difference := _difference(sides[first], sides[second], bounds)) is not None
    }
    return dict(zip(raw, holm(with_tails(list(raw.values()))), strict=True))


SeededSides = tuple[tuple[int, ...], Sides]


def _sides(one: Held, pairing: Pairing) -> SeededSides | None:
    found = one.reading.evidence.table.of_pairing(one.label, pairing)
    return (one.reading.evidence.answers.seeds(one.label, *pairing), found) if found else None


def _difference(ours: SeededSides, theirs: SeededSides, bounds: Bounds) -> Difference | None:
    first, second = aligned(ours, theirs)
    return safety_utility(first, second, bounds).get("su_f1")


def aligned(ours: SeededSides, theirs: SeededSides) -> tuple[Sides, Sides]:
    """Both on the seeds that they are paired on."""
    pair = zip((ours, theirs), paired_seeds(ours[0], theirs[0]), strict=True)
    first, second = (_kept(sides, [seeds.index(seed) for seed in chosen]) for (seeds, sides), chosen in pair)
    return first, second


def _kept(sides: Sides, rows: Sequence[int]) -> Sides:
    return Sides(*(Scores(side.refusal[list(rows)], side.entropy[list(rows)]) for side in sides))


def _places(ranked: Sequence[int], pairs: Pairs) -> list[Places]:
    beats = np.zeros((len(ranked), len(ranked)), bool)
    at = {place: index for index, place in enumerate(ranked)}
    for (first, second), difference in pairs.items():
        if difference.is_significant:
            winner, loser = (first, second) if difference.value > 0 else (second, first)
            beats[at[winner], at[loser]] = True
    return places(beats)


def _delta(pairs: Pairs, place: int, baseline: int | None) -> Difference | None:
    """To the baseline, which may be on either side of its pair."""
    if baseline is None or place == baseline:
        return None
    if (place, baseline) in pairs:
        return pairs[place, baseline]
    turned = pairs.get((baseline, place))
    return replace(turned, value=-turned.value, low=-turned.high, high=-turned.low) if turned else None


def _value(one: Entry, score: Column) -> float | None:
    estimate = one.estimates.get(score.key)
    return estimate.value if estimate else None


def _order(row: Row, score: Column) -> tuple[float, float, str, str]:
    """By place, then by number; what has neither last."""
    value = _value(row.entry, score)
    first = row.places.first if row.places else float("inf")
    return first, -(value if value is not None else float("-inf")), row.entry.arm, row.entry.run
