"""What a site is made from. Its renderers are pure functions of a `Site`: no files are read, no model is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.base import Json
from metrics.base import Difference, Estimate
from metrics.ranking import Places
from reports.base import Column


@dataclass(frozen=True, slots=True)
class Past:
    """What an older run found for an arm of the same name and settings."""

    run: str
    date: str
    version: str
    estimates: Mapping[str, Estimate]
    """By column key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An arm of a group, from the newest run that finished it."""

    arm: str
    """Its label; two of one group may share it, if their settings or replies differ."""
    method: str
    run: str
    seeds: tuple[int, ...]
    """Those with which anything is finished."""
    settings: Mapping[str, Json]
    cost: Mapping[str, float]
    """As in `reports.base.Arm`."""
    estimates: Mapping[str, Estimate]
    """By column key; what is not finished is missing."""
    is_baseline: bool = False
    notes: tuple[str, ...] = ()
    """What tells it from others of its name, what stopped it, what it lacks."""
    history: tuple[Past, ...] = ()
    """Newest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One arm in one ranking."""

    entry: Entry
    places: Places | None
    """None where it has no number to be ranked by."""
    delta: Difference | None = None
    """Of that number to the baseline's, p adjusted over all pairs of the ranking."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The arms of a group by one number, best first; those without it come last."""

    title: str
    """The benchmarks that make the number."""
    by: Column | None
    """None where no number joins safety and utility: then nothing is ranked."""
    columns: tuple[Column, ...]
    """Shown beside it."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Runs whose numbers may stand in one ranking."""

    key: str
    """The same for the same conditions, whatever other groups there are: it is what a link points to."""
    model: str
    judge: str
    benchmarks: tuple[str, ...]
    conditions: Mapping[str, str]
    """All that the runs of this group agree in, by name, in words."""
    differs: Mapping[str, str]
    """Those of them that not all groups of the site share."""
    rankings: tuple[Ranking, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the history of runs."""

    name: str
    """Of its folder in the site, below `runs/`."""
    group: str
    """The key of its group."""
    date: str
    version: str
    commit: str
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    problems: tuple[str, ...] = ()
    """Arms that failed, and what is not finished."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that a site shows."""

    groups: tuple[Group, ...]
    runs: tuple[Run, ...] = field(default=())
    """Newest first."""

    def run(self, name: str) -> Run:
        """The run of that name."""
        return next(one for one in self.runs if one.name == name)
