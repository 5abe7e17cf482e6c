"""From run folders to judged runs with names of their own, and the pages that each of them gets."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.errors import UserError
from harness.answers import Note
from harness.comparison import compared
from harness.evidence import Evidence, read_evidence
from harness.remote.address import address
from harness.remote.opened import opened_to_read
from harness.results import results
from harness.run_folder import RunFolder
from reports.base import Arm, Comparison
from reports.registry import RENDERERS

SHOWN_WARNINGS = 2
"""Of one run; an unfinished one has a warning for every cell."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One run, judged and estimated."""

    name: str
    """Of its folder in the site."""
    evidence: Evidence
    comparison: Comparison
    """Without its samples, which are on the page."""
    page: bytes
    results: Mapping[str, Any]

    @property
    def date(self) -> str:
        """Of its first process."""
        return str(self.evidence.header["provenance"].get("date", ""))

    @property
    def version(self) -> str:
        """Of the program that made it."""
        return str(self.evidence.header["provenance"].get("versions", {}).get("equipoise", "unknown"))

    @property
    def commit(self) -> str:
        """Of that program; empty where it is not known."""
        return str(self.evidence.header["provenance"].get("git_hash") or "")

    @property
    def judge(self) -> str:
        """Name and version."""
        return self.comparison.judge

    def arm(self, label: str) -> Arm:
        """One of its arms."""
        return next(arm for arm in self.comparison.arms if arm.name == label)

    def finished_seeds(self, label: str) -> tuple[int, ...]:
        """Seeds with which an arm has finished any benchmark."""
        return tuple(sorted({cell.seed for cell in self.evidence.answers.cells if cell.arm == label}))

    def missing(self, label: str) -> list[str]:
        """Benchmarks that an arm has not finished with all of its seeds."""
        described = next(arm for arm in self.evidence.header["arms"] if arm["name"] == label)
        answers = self.evidence.answers
        return [
            benchmark.name
            for benchmark in answers.benchmarks
            if len(answers.seeds(label, benchmark.name)) < len(described["seeds"])
        ]


def read_runs(places: Sequence[str], judge_name: str | None, note: Note) -> list[Reading]:
    """All runs, oldest first, whatever order they are given in; one that is given twice counts once.

    Raises:
        StorageError: If a URL cannot be reached.
        UserError: If one is no run folder or of another version, or there is no such judge.
    """
    if not places:
        raise UserError("A leaderboard needs at least one run: equipoise leaderboard RUN... --output site")
    with ExitStack() as stack:
        folders: dict[str, RunFolder] = {}
        for place in (place.rstrip("/") for place in places):
            if _key(place) in folders:
                note(f"'{place}' is given twice and counts once.")
            else:
                folders[_key(place)] = stack.enter_context(opened_to_read(place))
        headers = [(folder.header(), folder) for folder in folders.values()]  # all, before the work on any
        ordered = sorted(headers, key=lambda pair: _age(*pair))
        names = list(_names([folder for _, folder in ordered]))
        return [_read(name, folder, judge_name, note) for name, (_, folder) in zip(names, ordered, strict=True)]


def _key(place: str) -> str:
    """The same for all ways to write where a run lies."""
    folder, url = address(place)
    return url or str(folder.resolve())


def _age(header: Mapping[str, Any], folder: RunFolder) -> tuple[str, str, str]:
    """Order of the runs; nothing of it depends on where they lie."""
    return str(header["provenance"].get("date", "")), _own_name(folder), str(header["protocol"])


def _own_name(folder: RunFolder) -> str:
    last = folder.url.rpartition("/")[2] if folder.url else folder.root.resolve().name
    return re.sub(r"[^\w.+-]+", "-", last, flags=re.ASCII).strip("-.") or "run"


def _names(folders: Sequence[RunFolder]) -> Iterator[str]:
    """Their own names; the second of a name gets `-2`. Case does not tell names apart on every disk."""
    taken: set[str] = set()
    for folder in folders:
        name, count = _own_name(folder), 1
        while name.casefold() in taken:
            count += 1
            name = f"{_own_name(folder)}-{count}"
        taken.add(name.casefold())
        yield name


def _read(name: str, folder: RunFolder, judge_name: str | None, note: Note) -> Reading:
    warnings: list[str] = []
    evidence = read_evidence(folder, judge_name, warnings.append)
    for warning in warnings[:SHOWN_WARNINGS]:
        note(f"{name}: {warning}")
    if len(warnings) > SHOWN_WARNINGS:
        note(f"{name}: {len(warnings) - SHOWN_WARNINGS} more warnings; 'equipoise report {folder.name}' has all.")
    comparison = compared(evidence)
    page = RENDERERS["html"].render(comparison).encode(errors="backslashreplace")
    git_hash = comparison.provenance.get("git_hash")
    content = results(comparison, git_hash if isinstance(git_hash, str) else None)
    return Reading(name, evidence, replace(comparison, samples=()), page, content)
