"""Which arms a group has: one entry for each name and settings, from the newest run that finished it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.base import Kind
from harness.arms import BASELINE
from harness.plan import Cell
from harness.site.collect import Reading
from metrics.base import Estimate
from reports.site.base import Entry, Past


@dataclass(frozen=True, slots=True)
class Held:
    """An arm, the run that counts, and the others that have it."""

    label: str
    reading: Reading
    older: tuple[Reading, ...] = ()
    """Newest first."""
    notes: tuple[str, ...] = field(default=())

    @property
    def method(self) -> str:
        """Its name."""
        return self.reading.arm(self.label).method

    @property
    def is_finished(self) -> bool:
        """Whether its run has all of its replies."""
        return not self.reading.missing(self.label) and not self.reading.arm(self.label).failure


def held(readings: Sequence[Reading]) -> list[Held]:
    """All arms of runs of one group, in the order in which they first occur.

    `default` has no settings that could tell it apart, so two runs share it only where their replies are equal.
    """
    sharing: dict[str, list[Held]] = {}
    for reading in reversed(readings):
        for arm in reading.comparison.arms:
            sharing.setdefault(_identity(reading, arm.name), []).append(Held(arm.name, reading))
    order = {_identity(one, arm.name): None for one in readings for arm in one.comparison.arms}
    found = [_newest(alike) for identity in order for alike in _alike(sharing[identity])]
    return [replace(one, notes=tuple(_notes(one, found))) for one in found]


def entry(one: Held, *, is_baseline: bool) -> Entry:
    """The same for the site."""
    arm = one.reading.arm(one.label)
    return Entry(
        arm=one.label,
        method=arm.method,
        run=one.reading.name,
        seeds=one.reading.finished_seeds(one.label),
        settings=arm.settings,
        cost=arm.cost,
        estimates=_estimates(one.reading, one.label),
        is_baseline=is_baseline,
        notes=one.notes,
        history=tuple(Past(past.name, past.date, past.version, _estimates(past, one.label)) for past in one.older),
    )


def _identity(reading: Reading, label: str) -> str:
    arm = reading.arm(label)
    code = reading.evidence.header["protocol"].get("arms", {}).get(label, {}).get("code")
    return json.dumps([label, arm.method, arm.settings, code], sort_keys=True)


def _alike(holders: Sequence[Held]) -> Iterator[list[Held]]:
    """Holders of one identity, newest first, apart where their replies should be equal and are not."""
    if holders[0].method != BASELINE:
        yield list(holders)
        return
    apart: list[list[Held]] = []
    for one in holders:
        known = next((alike for alike in apart if _answers_alike(alike[0], one)), None)
        if known is None:
            apart.append([one])
        else:
            known.append(one)
    yield from apart


def _answers_alike(one: Held, other: Held) -> bool:
    """Whether the first seed of each says the same, as far as both are finished."""
    ours, theirs = _texts(one), _texts(other)
    return all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys())


def _texts(one: Held) -> dict[str, list[str]]:
    answers = one.reading.evidence.answers
    spoken = [benchmark.name for benchmark in answers.benchmarks if benchmark.kind is Kind.GENERATION]
    seeds = {name: answers.seeds(one.label, name) for name in spoken}
    return {
        name: [exchange.reply.text for exchange in answers.cells[Cell(one.label, found[0], name)]]
        for name, found in seeds.items()
        if found
    }


def _newest(alike: Sequence[Held]) -> Held:
    """The newest that is finished, else the newest."""
    chosen = next((one for one in alike if one.is_finished), alike[0])
    return replace(chosen, older=tuple(one.reading for one in alike if one is not chosen))


def _notes(one: Held, everyone: Sequence[Held]) -> Iterator[str]:
    namesakes = [other for other in everyone if other.label == one.label and other is not one]
    told = {f"{name} {_shown(value)}" for other in namesakes for name, value in _own_settings(one, other)}
    if told:
        yield f"with {', '.join(sorted(told))}"
    elif namesakes:
        runs = ", ".join(other.reading.name for other in namesakes)
        yield f"its replies in {one.reading.name} differ from those in {runs}"
    failure = one.reading.arm(one.label).failure
    if failure:
        yield f"failed: {failure}"
    missing = one.reading.missing(one.label)
    if not one.reading.finished_seeds(one.label):
        yield "nothing finished"
    elif missing:
        yield f"unfinished: {', '.join(missing)}"


def _own_settings(one: Held, other: Held) -> Iterator[tuple[str, object]]:
    ours, theirs = one.reading.arm(one.label), other.reading.arm(other.label)
    if ours.method != theirs.method:
        yield "method", ours.method
    for name, value in ours.settings.items():
        if name not in theirs.settings or theirs.settings[name] != value:
            yield name, value


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _estimates(reading: Reading, label: str) -> Mapping[str, Estimate]:
    return {key: estimate for (arm, key), estimate in reading.comparison.estimates.items() if arm == label}
