"""Numbers to pages: what a report is made from, and the contract of a renderer.

A renderer is a pure function of a `Comparison`: no files are read, no model is loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from benchmarks.base import Intent, Json
from metrics.base import Difference, Direction, Estimate, KnownError, Verdict


class Mark(Enum):
    """What is shown about the rank of a number within its block."""

    NONE = ""
    BEST = "best"
    """Bold."""
    SECOND = "second"
    """Underlined."""
    TIED = "n.s."
    """The test does not tell it from the best."""


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
    """Of the fit, mean over seeds: `seconds`, `forward_equivalents`, `forward_equivalents_per_sample`, `peak_bytes`; of
    each reply `extra_tokens_per_reply`, `extra_passes_per_reply`; and `tokens_per_second`."""
    diagnostics: Mapping[str, Json] = field(default_factory=dict)
    failure: str = ""
    """What stopped this arm, if anything did."""
    card: Mapping[str, Json] = field(default_factory=dict)
    """What its method is and what can be set, as `methods.cards` tells it; empty in runs of version 0.1."""
    tuning: Mapping[str, Json] = field(default_factory=dict)
    """On what the settings were tuned and with what budget, as `equipoise tune` tells it; empty where they were not."""
    learns_from_prompts: bool = False
    """Whether it learns from each test prompt before it answers it."""


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
    section: str = ""
    """Title of a section of its own, where the number is shown instead."""
    category: str = ""
    """Of the attacks on the prompts that count; empty where all prompts do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply, for the side-by-side view. All of its text is hostile: escape it."""

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
    tokens: int = 0
    entropy: float | None = None
    """In bits; None where the reply has none, as one that was made by log-probability."""
    strategies: tuple[str, ...] = ()
    """Of the attack, one by one."""
    template: str = ""
    """Of the attack."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Another judge on the same replies, or on a part of them."""

    judge: str
    """Name and version."""
    share: Estimate
    """Of replies on which the two say the same."""
    kappa: Estimate
    counts: Mapping[tuple[Verdict, Verdict], int]
    """Replies by the verdict of the run's judge, then by that of this one."""
    of: int
    """Replies that could have been read; `kappa.n` were."""


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
    sections: Mapping[str, str] = field(default_factory=dict)
    """Of columns that stand apart: what is to be known of them, by the section's title."""
    judging: Mapping[str, Json] = field(default_factory=dict)
    """What it took, where it costs something."""
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict)
    """To the first arm on the same prompts, by (arm name, column key); what was not compared is missing."""
    known_error: KnownError | None = None
    """Of the judge, where it has been measured."""
    corrected: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)
    """Refusal rates without that error, by (arm name, column key); their values are None where it allows none."""

    marks: Mapping[tuple[str, str], Mark] = field(default_factory=dict)
    """Best, second, or not told from the best, of the leaderboard's numbers, by (arm name, column key)."""
    second_opinions: tuple[SecondOpinion, ...] = ()
    """Of judges that cost nothing, on the replies that the run's judge read."""

    @property
    def headline(self) -> tuple[Column, ...]:
        """Columns of the leaderboard."""
        return tuple(column for column in self.columns if column.is_headline)


Renderer = Callable[[Comparison], str]
