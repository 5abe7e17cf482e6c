"""What was asked and what was fitted, against the hashes that were written down with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.base import Benchmark
from benchmarks.errors import UserError
from harness import ledger
from harness.findings import Finding, Findings, Level
from harness.fingerprint import folder_hash
from harness.fitting import FACTS
from harness.run_folder import RunFolder, benchmark_lines
from harness.seal import is_whole
from harness.storage import json_bytes


def look_at_benchmark(folder: RunFolder, header: Mapping[str, Any], name: str, findings: Findings) -> Benchmark | None:
    """The prompts of a benchmark; None where they are not those that were put to the arms."""
    content_hash = header["protocol"]["benchmarks"][name]["hash"]
    try:
        benchmark = folder.benchmark(name, content_hash)
    except UserError as error:
        findings.add("benchmarks", Level.PROBLEM, str(error))
        return None
    content = folder.benchmark_file(name).read_bytes()
    whole = is_whole(json.loads(content.partition(b"\n")[0]))
    if whole is None and is_whole(header) is None:
        text = (
            f"'{name}': {len(benchmark.prompts)} prompts as their hash says; an edited title or licence cannot be told"
        )
        findings.add("benchmarks", Level.OK, text)
    elif not whole or content != benchmark_lines(benchmark):
        findings.add("benchmarks", Level.PROBLEM, f"'{name}' was edited, though not its prompts")
    else:
        findings.add("benchmarks", Level.OK, f"'{name}': {len(benchmark.prompts)} prompts as their hash says")
    return benchmark


def look_at_artefacts(folder: RunFolder, header: Mapping[str, Any]) -> Iterator[Finding]:
    """What every fit left behind."""
    places = [folder.artefact(arm["name"], seed) for arm in header["arms"] for seed in arm["seeds"]]
    there = [place for place in places if place.exists()]
    yield from _counted("artefacts", [_of_artefact(place, folder.root, header) for place in there])
    if len(there) < len(places):
        yield Finding("artefacts", Level.WARNING, f"{len(there)} of {len(places)} fits are there")


def look_at_parity(folder: RunFolder, header: Mapping[str, Any]) -> Iterator[Finding]:
    """How servers compared with the local network."""
    paths = sorted(folder.root.glob("parity/*/*/*.json"))
    yield from _counted("parity", [_of_json(path, folder.root, header) for path in paths])


def look_at_useful_replies(folder: RunFolder) -> Iterator[Finding]:
    """What the unmodified model said to benign prompts that methods learn from."""
    paths = sorted(folder.root.glob("useful_replies/*.jsonl"))
    yield from _counted("useful replies", [_of_ledger(path, folder.root) for path in paths])


def _of_ledger(path: Path, root: Path) -> Finding:
    contents, name = ledger.read(path), path.relative_to(root).as_posix()
    if contents.is_tidy:
        return Finding(name, Level.OK, "")
    lines = ", ".join(str(damage.line) for damage in contents.damages) or "the last"
    return Finding(name, Level.PROBLEM, f"{name}, line {lines}: {ledger.TORN}")


def _of_artefact(place: Path, root: Path, header: Mapping[str, Any]) -> Finding:
    found = _of_json(place / FACTS, root, header)
    if found.level is not Level.PROBLEM:
        written = json.loads((place / FACTS).read_bytes())
        if written.get("hash") != folder_hash(place, without=FACTS):
            return Finding(
                found.subject, Level.PROBLEM, f"{place.relative_to(root)}: files are not as the fit left them"
            )
    return found


def _of_json(path: Path, root: Path, header: Mapping[str, Any]) -> Finding:
    """One file that carries its digest, unless an earlier version began the run."""
    may_have_none = is_whole(header) is None or bool(header["resumed"])
    name = path.relative_to(root).as_posix()
    try:
        content = path.read_bytes()
        found = json.loads(content)
        whole = is_whole(found) if isinstance(found, dict) else False
        is_as_written = may_have_none if whole is None else whole and content == json_bytes(found)
    except (OSError, ValueError):
        return Finding(name, Level.PROBLEM, f"{name} cannot be read")
    if not is_as_written:
        return Finding(name, Level.PROBLEM, f"{name} was edited")
    return Finding(name, Level.WARNING if whole is None else Level.OK, "")


def _counted(subject: str, found: Sequence[Finding]) -> Iterator[Finding]:
    """Every problem by itself, the others by number."""
    yield from (line._replace(subject=subject) for line in found if line.level is Level.PROBLEM)
    fine, doubtful = (sum(line.level is level for line in found) for level in (Level.OK, Level.WARNING))
    if fine:
        yield Finding(subject, Level.OK, f"{fine} as they were written")
    if doubtful:
        text = f"{doubtful} have no digest, being of an earlier version: an edit of cost or diagnostics cannot be told"
        yield Finding(subject, Level.WARNING, text)
