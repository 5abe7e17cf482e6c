"""What a study is: a question, the runs that answer it, and what is made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.base import Json
from harness.arms import ArmSpec
from harness.columns import Pairing
from harness.evidence import Evidence
from harness.fitting import read_facts
from harness.models import is_embedded
from metrics.base import Difference, Estimate
from reports.base import Column, Comparison
from reports.figures import Plot

EMBEDDED: Mapping[str, Any] = {"seeds": "0,1,2", "batch_size": "128", "max_new_tokens": "96"}
"""Flags of a study on the built-in model, unless given."""
ELSEWHERE: Mapping[str, Any] = {"seeds": "0,1,2", "data": "safeedit_train+alpaca_anchors"}
"""The same on any other model."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that `--set` may change in a study."""

    meaning: str
    embedded: str
    """Its value on the built-in model, whose 3,072 neurons and small questions want other ones."""
    elsewhere: str
    """Its value on any other model: the paper's, where it names one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks of a study."""

    flags: Mapping[str, Any]
    """Of `run`, as `build_config` takes them; those that were not given are missing."""
    options: Mapping[str, str]
    """Of the study, all of them."""
    settings: Mapping[str, Any]
    """Of the method under study, for every arm of it."""

    @property
    def is_embedded(self) -> bool:
        """Whether the model is one of the embedded world's."""
        return is_embedded(self.flags.get("model", "embedded"))

    def run(self, arms: Sequence[ArmSpec], embedded: str, elsewhere: str) -> dict[str, Any]:
        """A run of these arms for `build_config`: on what the user names, or on the benchmarks of his model.

        What makes the study and cannot be given is put over it.
        """
        standard = EMBEDDED if self.is_embedded else ELSEWHERE
        benchmarks = embedded if self.is_embedded else elsewhere
        return {**standard, "benchmarks": benchmarks, **self.flags, "methods": tuple(arms)}


@dataclass(frozen=True, slots=True)
class Finished:
    """One run of a study, as far as it came."""

    evidence: Evidence
    comparison: Comparison

    @property
    def pairing(self) -> Pairing:
        """The harmful and the benign benchmark that the study is about: the first pair of the run."""
        return self.evidence.pairings[0]

    @property
    def failures(self) -> dict[str, str]:
        """Reasons, by arm."""
        return {arm.name: arm.failure for arm in self.comparison.arms if arm.failure}

    @property
    def su_f1(self) -> Column:
        """SU-F1 of the pairing."""
        return self.column(f"{self.pairing.name}/su_f1")

    def has(self, key: str) -> bool:
        """Whether the run has such a number."""
        return any(column.key == key for column in self.comparison.columns)

    def column(self, key: str) -> Column:
        """The column with that key, for instance `embedded_attacked/refusal_rate`."""
        return next(column for column in self.comparison.columns if column.key == key)

    def main_columns(self) -> tuple[Column, ...]:
        """Refusals and entropy of the pairing, its SU-F1, then refusals or accuracy of whatever else was asked."""
        named = [f"{name}/{metric}" for name in self.pairing for metric in ("refusal_rate", "entropy")]
        columns = [*map(self.column, named), self.su_f1]
        others = [
            column
            for column in self.comparison.columns
            if column.metric in ("refusal_rate", "accuracy", "parsed_accuracy") and not column.section
        ]
        return tuple(dict.fromkeys([*columns, *others]))

    def estimate(self, arm: str, key: str) -> Estimate | None:
        """A number of an arm that finished; None where there is none."""
        found = self.comparison.estimates.get((arm, key))
        return found if found is not None and found.value is not None and arm not in self.failures else None

    def against(self, baseline: str, arms: Sequence[str], key: str) -> dict[str, Difference]:
        """Differences of arms to another in one column, by arm, adjusted over them; failed arms are left out."""
        there = [arm for arm in arms if arm not in self.failures]
        if baseline in self.failures:
            return {}
        found = self.evidence.against(baseline, there, [key])
        return {arm: difference for (arm, _), difference in found.items()}

    def fits(self, arm: str) -> dict[int, Mapping[str, Any]]:
        """Diagnostics of the fits of an arm, by seed."""
        folder, described = self.evidence.folder, {one["name"]: one for one in self.evidence.header["arms"]}
        facts = {seed: read_facts(folder.artefact(arm, seed)) for seed in described[arm]["seeds"]}
        return {seed: found["diagnostics"] for seed, found in facts.items() if found}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a study came to."""

    sentence: str
    """The answer in one sentence, made from the numbers and their tests."""
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: Mapping[str, Plot] = field(default_factory=dict)
    """By name of the file."""
    notes: Sequence[str] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)
    """The numbers behind the sentence, for other programs."""


Results = Mapping[str, Finished]
"""The runs of a study, by name."""


@dataclass(frozen=True, slots=True)
class Study:
    """One question about the paper, and how it is answered."""

    name: str
    question: str
    paper: str
    """What of NeuronTune's paper it corresponds to, for instance `table 4`."""
    runs: Callable[[Request], Mapping[str, Mapping[str, Any]]]
    """Each an ordinary run: what `build_config` takes, by the name of its folder."""
    conclude: Callable[[Request, Results], Finding]
    """From the finished runs to the finding; a pure function."""
    options: Mapping[str, Option] = field(default_factory=dict)
    method: str = ""
    """The method whose settings `--set` takes besides the options; empty for none."""
    needs_pairing: bool = True
    """Whether every run needs a harmful and a benign benchmark that are answered in words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A study that was carried out."""

    study: Study
    request: Request
    finding: Finding
    failures: Mapping[str, str]
    """Reasons by `run/arm`."""
    root: Path
    runs: tuple[str, ...]
