"""The replies and scores of every cell, line by line: whole, of this cell, and one for each prompt that was asked."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.base import Benchmark, Kind
from harness import ledger
from harness.findings import Finding, Level
from harness.plan import Cell
from harness.run_folder import RunFolder
from reports.prompt_names import prompt_name

MOST_NAMED = 5
"""Lines of one file that are named one by one."""


@dataclass(frozen=True, slots=True)
class Read:
    """One file of a cell."""

    cell: Cell
    path: Path
    kind: str
    """`replies` or `scores`."""
    contents: ledger.Contents
    benchmark: Benchmark

    @property
    def order(self) -> tuple[str, ...]:
        """Ids as they lie in the file."""
        return tuple(self.contents.records)


def look_at_cells(folder: RunFolder, header: Mapping[str, Any], benchmarks: Sequence[Benchmark]) -> Iterator[Finding]:
    """Every file of replies and of scores, then what lies beside them."""
    files = [
        Read(cell, path, kind, ledger.read(path), benchmark)
        for arm in header["arms"]
        for seed in arm["seeds"]
        for benchmark in benchmarks
        for cell in [Cell(arm["name"], seed, benchmark.name)]
        for kind, path in (("replies", folder.replies(cell)), ("scores", folder.scores(cell)))
    ]
    replies = {file.cell: file for file in files if file.kind == "replies"}
    for file in files:
        yield from _damages(file, files)
        wanted = _wanted(file, replies[file.cell])
        yield from _strangers(file)
        yield from _missing(folder, file, wanted)
    yield from _orders(list(replies.values()))
    yield from _sums(files)
    known = {file.path for file in files}
    for path in sorted(one for kind in ("replies", "scores") for one in folder.root.glob(f"{kind}/*/*/*.jsonl")):
        if path not in known and path.stem in {benchmark.name for benchmark in benchmarks}:
            yield Finding(path.parts[-4], Level.WARNING, f"{_name(path)} is of no arm of the run, and is not read")


def _damages(file: Read, files: Sequence[Read]) -> Iterator[Finding]:
    damages = file.contents.damages
    if not damages:
        return
    lines = file.path.read_bytes().split(b"\n")
    owner = _owner(lines[damages[0].line - 1], file, files)
    if owner and len(damages) > 1 and all(ledger.is_of(lines[damage.line - 1], owner) for damage in damages):
        text = f"{_name(file.path)}: {len(damages)} lines belong into {_name(owner)}"
        yield Finding(file.kind, Level.PROBLEM, text)
        return
    named = [(damage, lines[damage.line - 1]) for damage in damages[:MOST_NAMED]]
    told = [f"line {damage.line}{_whose(line, file)}: {_reason(line, damage, file, files)}" for damage, line in named]
    more = f"; and {len(damages) - MOST_NAMED} lines more" if len(damages) > MOST_NAMED else ""
    yield Finding(file.kind, Level.PROBLEM, f"{_name(file.path)}, {'; '.join(told)}{more}")


def _whose(line: bytes, file: Read) -> str:
    """Which prompt a spoilt line is of, where it still says so."""
    try:
        record = json.loads(line)
    except ValueError:
        return ""
    prompt_id = record.get("prompt_id") if isinstance(record, dict) else None
    asked = {prompt.id: prompt.plain for prompt in file.benchmark.prompts}
    if not isinstance(prompt_id, str) or prompt_id not in asked:
        return ""
    return f" ('{prompt_name(prompt_id, asked[prompt_id])}')"


def _reason(line: bytes, damage: ledger.Damage, file: Read, files: Sequence[Read]) -> str:
    owner = _owner(line, file, files)
    if owner:
        return f"belongs into {_name(owner)}"
    return "torn or edited" if damage.reason == ledger.TORN else "a second one of this prompt"


def _owner(line: bytes, file: Read, files: Sequence[Read]) -> Path | None:
    """The other file that a line was written for, if any."""
    others = [other.path for other in files if other.path != file.path]
    return next((path for path in others if ledger.is_of(line, path)), None)


def _strangers(file: Read) -> Iterator[Finding]:
    asked = {prompt.id for prompt in file.benchmark.prompts}
    strangers = [place for place, key in enumerate(file.order) if key not in asked]
    if strangers:
        text = f"{_name(file.path)} has {len(strangers)} lines of prompts that are not in the benchmark"
        yield Finding(file.kind, Level.PROBLEM, text)


def _wanted(file: Read, replies: Read) -> list[str]:
    """Ids of the prompts that there should be a line for; empty replies have no score."""
    if file.kind == "replies":
        return [prompt.id for prompt in file.benchmark.prompts]
    if file.benchmark.kind is not Kind.GENERATION:
        return []
    return [key for key, record in replies.contents.records.items() if str(record.get("text", "")).strip()]


def _missing(folder: RunFolder, file: Read, wanted: Sequence[str]) -> Iterator[Finding]:
    there = sum(key in file.contents.records for key in wanted)
    if there < len(wanted):
        why = "the arm failed" if folder.failure(file.cell.arm).exists() else "the run is unfinished, or lines are gone"
        yield Finding(file.kind, Level.WARNING, f"{_name(file.path)} has {there} of {len(wanted)}: {why}")


def _orders(replies: Sequence[Read]) -> Iterator[Finding]:
    """Every arm is asked in the same order; what was spoilt and made again stands last."""
    for name in dict.fromkeys(file.cell.benchmark for file in replies):
        cells = [file for file in replies if file.cell.benchmark == name]
        full = [file for file in cells if len(file.order) == len(file.benchmark.prompts)]
        usual = Counter(file.order for file in full).most_common(1)
        for file in full:
            if file.order != usual[0][0]:
                text = f"{_name(file.path)} is in another order than the cells of other arms; no number depends on it"
                yield Finding("replies", Level.WARNING, text)


def _sums(files: Sequence[Read]) -> Iterator[Finding]:
    for kind in ("replies", "scores"):
        contents = [file.contents for file in files if file.kind == kind and file.contents.records]
        whole, unbound = sum(len(one.records) for one in contents), sum(one.unbound for one in contents)
        yield Finding(kind, Level.OK, f"{whole} lines in {len(contents)} files are as they were written")
        if unbound:
            text = (
                f"{unbound} lines have no digest but a checksum of an earlier version: edits are told, "
                "a line of another cell is not"
            )
            yield Finding(kind, Level.WARNING, text)


def _name(path: Path) -> str:
    return "/".join(path.parts[-4:])
