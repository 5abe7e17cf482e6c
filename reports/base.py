"""Numbers to pages: what a report is made from, and the contract of a renderer.

A renderer is a pure function of a `Comparison`: no files are read, no model is loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.base import Intent, Json
from metrics.base import Direction, Estimate


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the comparison."""

    name: str
    method: str
    paper: str
    fidelity: str
    deviations: tuple[str, ...]
    settings: Mapping[str, Json]
    cost: Mapping[str, float]
    """`seconds`, `forward_equivalents`, `peak_bytes` of the fit (mean over seeds) and `tokens_per_second`."""
    diagnostics: Mapping[str, Json] = field(default_factory=dict)
    failure: str = ""
    """What stopped this arm, if anything did."""


@dataclass(frozen=True, slots=True)
class Column:
    """One number per arm."""

    key: str
    """`benchmark/metric`, or `harmful+benign/su_f1`."""
    benchmark: str
    metric: str
    title: str
    unit: str
    direction: Direction
    intent: Intent | None = None
    is_headline: bool = False
    """Shown in the leaderboard; the rest goes into the full table."""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply, for the per-prompt browser. All of its text is hostile: escape it."""

    benchmark: str
    prompt_id: str
    arm: str
    seed: int
    intent: Intent
    category: str
    attack: str
    """Strategies and template, or empty."""
    question: str
    """The plain question."""
    prompt: str
    """As asked, attack included."""
    reply: str
    verdict: str
    reason: str
    action: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything a report shows. The first arm is `default`."""

    model: str
    arms: tuple[Arm, ...]
    columns: tuple[Column, ...]
    estimates: Mapping[tuple[str, str], Estimate]
    """By (arm name, column key); a cell that was not run is missing."""
    samples: tuple[Sample, ...]
    seeds: tuple[int, ...]
    judge: str
    protocol: Mapping[str, Json]
    provenance: Mapping[str, Json]

    @property
    def headline(self) -> tuple[Column, ...]:
        """Columns of the leaderboard."""
        return tuple(column for column in self.columns if column.is_headline)


Renderer = Callable[[Comparison], str]
