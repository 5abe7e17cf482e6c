"""From judged runs to a site."""

from collections.abc import Iterator, Sequence

from harness.arms import BASELINE
from harness.site import grouping
from harness.site.collect import Reading
from harness.site.entries import entry, held
from harness.site.ranking import ranking, unranked
from reports.site.base import Group, Ranking, Run, Site


def build(readings: Sequence[Reading]) -> Site:
    """The site of these runs, which come oldest first; its groups and runs come newest first."""
    found = dict(reversed(grouping.groups(list(readings)).items()))
    told = {key: grouping.in_words(members[-1]) for key, members in found.items()}
    apart = grouping.differing(told)
    groups = sorted(
        (_group(key, members, told[key], apart[key]) for key, members in found.items()),
        key=lambda group: (group.model, -len(group.rankings[0].rows)),
    )
    keys = {id(reading): key for key, members in found.items() for reading in members}
    return Site(tuple(groups), tuple(_run(reading, keys[id(reading)]) for reading in reversed(readings)))


def _group(key: str, members: Sequence[Reading], told: dict[str, str], apart: dict[str, str]) -> Group:
    newest = members[-1]
    return Group(
        key=key,
        model=newest.comparison.model,
        judge=newest.judge,
        benchmarks=tuple(benchmark.name for benchmark in newest.evidence.answers.benchmarks),
        conditions=told,
        differs=apart,
        rankings=_rankings(members),
    )


def _rankings(members: Sequence[Reading]) -> tuple[Ranking, ...]:
    holders, evidence = held(members), members[-1].evidence
    standard = next((one for one in holders if one.method == BASELINE), None)
    entries = [entry(one, is_baseline=one is standard) for one in holders]
    ranked = tuple(
        ranking(pairing, holders, entries, evidence.columns, evidence.bounds) for pairing in evidence.pairings
    )
    return ranked or (unranked(entries, evidence.columns),)


def _run(reading: Reading, group: str) -> Run:
    arms = reading.comparison.arms
    return Run(
        name=reading.name,
        group=group,
        date=reading.date,
        version=reading.version,
        commit=reading.commit,
        seeds=reading.comparison.seeds,
        arms=tuple(arm.name for arm in arms),
        problems=tuple(_problems(reading)),
    )


def _problems(reading: Reading) -> Iterator[str]:
    labels = [arm.name for arm in reading.comparison.arms]
    failed = [arm.name for arm in reading.comparison.arms if arm.failure]
    lacking = [label for label in labels if label not in failed and reading.missing(label)]
    if failed:
        yield f"failed: {', '.join(failed)}"
    if not reading.evidence.answers.cells:
        yield "no finished reply"
    elif lacking:
        yield f"unfinished: {', '.join(lacking)}"
