"""What run folders hold for a paper's table: arms with their scores, and whether the runs may stand side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.base import Benchmark
from benchmarks.errors import UserError, unknown_name
from harness.answers import Note, read_answers
from harness.columns import Pairing
from harness.control_tokens import KEPT
from harness.fitting import read_facts
from harness.protocol import differences
from harness.run_folder import RunFolder
from harness.scores import ScoreTable
from metrics.paired import Sides
from metrics.registry import judge

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

SHARED = ("generation", "seeds", "su_f1", "data")
"""Parts of the protocol that decide numbers and must agree between all runs of a table."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One arm of one model, from one run or from several that hold parts of its numbers."""

    model: str
    method: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    places: tuple[tuple["Evidence", str], ...]
    """Runs that hold it, and its label there."""
    failure: str = ""
    """What stopped it, if anything did."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the source of a method from outside."""

    @property
    def label(self) -> str:
        """In the first run that holds it."""
        return self.places[0][1]

    @property
    def key(self) -> str:
        """Equal for what was fitted alike."""
        return json.dumps([self.model, self.method, self.settings, self.code], sort_keys=True)

    def of_benchmark(self, benchmark: str, metric: str) -> "Float[np.ndarray, 'seed prompt'] | None":
        """Scores under one metric; None where no run has them finished."""
        found = (run.scores.of_benchmark(label, benchmark, metric) for run, label in self.places)
        return next((one for one in found if one is not None), None)

    def of_pairing(self, pairing: Pairing) -> Sides | None:
        """What makes SU-F1; None where no run has finished both benchmarks."""
        found = (run.scores.of_pairing(label, pairing) for run, label in self.places)
        return next((one for one in found if one is not None), None)

    def diagnostics(self) -> list[tuple[int, Mapping[str, Any]]]:
        """What the fit of each seed tells of itself, in the first run that holds it."""
        run, label = self.places[0]
        facts = ((seed, read_facts(run.folder.artefact(label, seed))) for seed in self.seeds)
        return [(seed, one["diagnostics"]) for seed, one in facts if one]


@dataclass(frozen=True)
class Evidence:
    """One run, judged."""

    folder: RunFolder
    header: Mapping[str, Any]
    benchmarks: Mapping[str, Benchmark]
    scores: ScoreTable
    judge: str
    """Name and version."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """Everything that decides its numbers."""
        return dict(self.header["protocol"])

    @property
    def model(self) -> str:
        """Its name."""
        return str(self.protocol["model"]["name"])

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Its arms, in their order."""
        return tuple(self._entry(described) for described in self.header["arms"])

    def _entry(self, described: Mapping[str, Any]) -> Entry:
        failure = self.folder.failure(described["name"])
        told = failure.read_text(encoding="utf-8").partition("\n")[0] if failure.exists() else ""
        return Entry(
            self.model,
            described["method"],
            described["settings"],
            tuple(described["seeds"]),
            ((self, described["name"]),),
            told,
            self.protocol.get("arms", {}).get(described["name"], {}).get("code", {}),
        )


def read_runs(paths: Sequence[Path], judge_name: str | None, note: Note) -> list[Evidence]:
    """All runs, each judged by its own judge or by the one named.

    Raises:
        UserError: If one is no run folder, they do not belong together, or there is no such judge.
    """
    if not paths:
        raise UserError("A table needs at least one run folder: equipoise paper TABLE RUN...")
    folders = {path.resolve(): RunFolder(path) for path in paths}
    headers = [folder.header() for folder in folders.values()]
    for folder, header in zip(folders.values(), headers, strict=True):
        _check_same(next(iter(folders.values())), headers[0], folder, header, judge_name)
    _check_models(list(folders.values()), headers)
    return [_read(folder, header, judge_name, note) for folder, header in zip(folders.values(), headers, strict=True)]


def entries(runs: Sequence[Evidence], labels: Sequence[str]) -> list[Entry]:
    """All arms, or those of the labels; arms of a model that were fitted alike are one.

    Raises:
        UserError: If no run has an arm of a label.
    """
    found = [entry for run in runs for entry in run.entries]
    for label in labels:
        if label not in {entry.label for entry in found}:
            raise unknown_name("arm", label, {entry.label for entry in found})
    distinct: dict[str, Entry] = {}
    for entry in found:
        if not labels or entry.label in labels:
            known = distinct.get(entry.key)
            distinct[entry.key] = replace(known, places=known.places + entry.places) if known else entry
    return list(distinct.values())


def _check_same(
    first: RunFolder, expected: Mapping[str, Any], other: RunFolder, seen: Mapping[str, Any], judge_name: str | None
) -> None:
    ours, theirs = (_decisive(header["protocol"], judge_name) for header in (expected, seen))
    common = ours["benchmarks"].keys() & theirs["benchmarks"].keys()
    for part in (ours, theirs):
        part["benchmarks"] = {name: part["benchmarks"][name] for name in sorted(common)}
    _refuse(first, other, list(differences(ours, theirs)))


def _decisive(protocol: Mapping[str, Any], judge_name: str | None) -> dict[str, Any]:
    kept = {name: protocol.get(name) for name in SHARED}
    asked = {name: f"{one['prompts']} prompts, {one['hash'][:12]}" for name, one in protocol["benchmarks"].items()}
    model = protocol["model"]
    said = {
        "model.system_prompt": model.get("system_prompt"),
        "model.control_tokens": model.get("control_tokens", KEPT),  # earlier versions could do nothing else
    }
    return {"judge": judge_name or protocol["judge"], **kept, **said, "benchmarks": asked}


def _check_models(folders: Sequence[RunFolder], headers: Sequence[Mapping[str, Any]]) -> None:
    """Runs of one name must be of one model, loaded alike."""
    first: dict[str, tuple[RunFolder, Mapping[str, Any]]] = {}
    for folder, header in zip(folders, headers, strict=True):
        model = header["protocol"]["model"]
        before, expected = first.setdefault(model["name"], (folder, model))
        _refuse(before, folder, list(differences(expected, model, "model.")))


def _refuse(first: RunFolder, other: RunFolder, changes: Sequence[str]) -> None:
    if changes:
        hint = " --judge NAME reads all replies with one judge." if changes[0].startswith("judge: ") else ""
        raise UserError(
            f"'{first.root}' and '{other.root}' cannot stand in one table, since they differ in "
            f"{'; '.join(changes)}. Give runs that differ in their models or arms alone.{hint}"
        )


def _read(folder: RunFolder, header: Mapping[str, Any], judge_name: str | None, note: Note) -> Evidence:
    chosen = judge(judge_name or header["protocol"]["judge"])
    answers = read_answers(folder, header, chosen, note)
    known = {benchmark.name: benchmark for benchmark in answers.benchmarks}
    return Evidence(folder, header, known, ScoreTable(answers), f"{chosen.name} {chosen.version}")
