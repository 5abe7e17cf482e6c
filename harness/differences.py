"""Every arm against the first one, on the same prompts, column by column."""

from collections.abc import Mapping, Sequence

from harness.columns import Pairing, metric_of
from harness.safeedit import Protocol
from harness.scores import ScoreTable
from metrics.base import Difference
from metrics.paired import COMPARERS, averages, holm, safety_utility
from metrics.su_f1 import Bounds
from reports.base import Column

Seeds = tuple[int, ...]
Differences = dict[tuple[str, str], Difference]
"""By (arm name, column key)."""


def differences(
    table: ScoreTable,
    arms: Sequence[str],
    columns: Sequence[Column],
    pairings: Sequence[Pairing],
    bounds: Bounds,
    protocols: Sequence[Protocol] = (),
) -> Differences:
    """Differences of all arms but the first to the first, p values adjusted over the arms of each column.

    What either of the two has not finished is left out, and so is a metric whose estimator has no paired counterpart.
    """
    found: Differences = {}
    for arm in arms[1:]:
        found |= _single(table, arm, arms[0], columns)
        for pairing in pairings:
            found |= _joint(table, arm, arms[0], pairing, bounds)
        for protocol in protocols:
            found |= _generalisation(table, arm, arms[0], protocol)
    return _adjusted(found)


def shared_seeds(table: ScoreTable, arm: str, baseline: str, *benchmarks: str) -> dict[str, tuple[int, ...]]:
    """Seeds to hold two arms of a run against each other with, by arm: not all while it is under way."""
    pair = paired_seeds(*(table.seeds(name, *benchmarks) for name in (arm, baseline)))
    return dict(zip((arm, baseline), pair, strict=True))


def paired_seeds(ours: Seeds, theirs: Seeds) -> tuple[Seeds, Seeds]:
    """As many seeds of either side, or a single one, which stands beside every seed of the other.

    Two or more shared seeds are taken. Without them, since a seed of one fit has nothing to do with that of another,
    as many of each as the other has, in their order.
    """
    if 1 in (len(ours), len(theirs)):
        return ours, theirs
    both = tuple(seed for seed in ours if seed in theirs)
    least = min(len(ours), len(theirs))
    return (both, both) if len(both) > 1 else (ours[:least], theirs[:least])


def _single(table: ScoreTable, arm: str, baseline: str, columns: Sequence[Column]) -> Differences:
    found: Differences = {}
    for column in columns:
        metric = metric_of(column)
        compare = COMPARERS.get(metric.estimate) if metric else None
        if compare:
            seeds = shared_seeds(table, arm, baseline, column.benchmark)
            ours, theirs = (table.of_column(name, column, some) for name, some in seeds.items())
            difference = compare(ours, theirs) if ours is not None and theirs is not None else None
            found |= {(arm, column.key): difference} if difference else {}
    return found


def _joint(table: ScoreTable, arm: str, baseline: str, pairing: Pairing, bounds: Bounds) -> Differences:
    seeds = shared_seeds(table, arm, baseline, *pairing)
    ours, theirs = (table.of_pairing(name, pairing, some) for name, some in seeds.items())
    if ours is None or theirs is None:
        return {}
    named = safety_utility(ours, theirs, bounds)
    return {(arm, f"{pairing.name}/{name}"): difference for name, difference in named.items()}


def _generalisation(table: ScoreTable, arm: str, baseline: str, protocol: Protocol) -> Differences:
    seeds = shared_seeds(table, arm, baseline, *protocol.inputs)
    ours, theirs = (table.of_protocol(name, protocol, some) for name, some in seeds.items())
    difference = averages(ours, theirs) if ours is not None and theirs is not None else None
    return {(arm, protocol.average_key): difference} if difference else {}


def _adjusted(found: Mapping[tuple[str, str], Difference]) -> Differences:
    """The family of a difference is its column."""
    adjusted: Differences = {}
    for key in dict.fromkeys(key for _, key in found):
        family = [(place, difference) for place, difference in found.items() if place[1] == key]
        places, members = zip(*family, strict=True)
        adjusted |= dict(zip(places, holm(members), strict=True))
    return adjusted
