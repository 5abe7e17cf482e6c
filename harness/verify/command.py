"""All that can be checked of a run folder without a model. What no number comes from, as tracebacks, is not."""

from typing import Any

from benchmarks.errors import UserError
from harness.findings import Finding, Findings, Level
from harness.run_folder import RunFolder
from harness.seal import is_whole
from harness.storage import json_bytes
from harness.verify.cells import look_at_cells
from harness.verify.files import look_at_artefacts, look_at_benchmark, look_at_parity, look_at_useful_replies
from harness.verify.numbers import look_at_numbers

FINE = "All is as it was written, and every number follows from the replies."


def verify(folder: RunFolder) -> list[Finding]:
    """Lines on the header, the prompts, what was fitted, the replies, and all that was made from them.

    Raises:
        UserError: If this is no run folder, or one of another version.
    """
    header, findings = folder.header(), Findings()
    if not _look_at_header(folder, header, findings):
        return findings.lines
    benchmarks = [look_at_benchmark(folder, header, name, findings) for name in header["protocol"]["benchmarks"]]
    for look in (look_at_artefacts, look_at_parity):
        findings.lines.extend(look(folder, header))
    findings.lines.extend(look_at_useful_replies(folder))
    whole = [benchmark for benchmark in benchmarks if benchmark is not None]
    findings.lines.extend(look_at_cells(folder, header, whole))
    if any(line.subject in ("benchmarks", "parity") for line in findings.problems):
        findings.add("numbers", Level.PROBLEM, "not recomputed, since what they are made from is not as it was")
        return findings.lines
    try:
        findings.lines.extend(look_at_numbers(folder, header))
    except (UserError, ImportError) as error:
        findings.add("numbers", Level.PROBLEM, f"cannot be recomputed: {error}")
    return findings.lines


def facts(folder: RunFolder, lines: list[Finding]) -> dict[str, Any]:
    """The same for `--json`."""
    counts = {f"{level}s": sum(line.level is level for line in lines) for level in (Level.PROBLEM, Level.WARNING)}
    return {"run": folder.name, **counts, "findings": [line._asdict() for line in lines]}


def _look_at_header(folder: RunFolder, header: dict[str, Any], findings: Findings) -> bool:
    """Whether the rest can be held against it."""
    whole = is_whole(header)
    if whole is None:
        findings.add("run.json", Level.WARNING, "has no digest, being of an earlier version: an edit cannot be told")
    elif not whole or folder.header_file.read_bytes() != json_bytes(header):
        findings.add("run.json", Level.PROBLEM, "was edited; nothing else is checked, since all rests on it")
        return False
    else:
        findings.add("run.json", Level.OK, f"schema version {header['schema_version']}, as it was written")
    weights = str(header["protocol"]["model"].get("weights"))[:12]
    findings.add("model", Level.OK, f"weights {weights} as recorded; not checked, since no model is loaded")
    return True
