"""A finding as `finding.md`, `finding.json` and figures, and as text for the terminal."""

import textwrap
from pathlib import Path

from tabulate import tabulate

from harness.storage import write_json, write_whole, writing
from harness.studies.base import Outcome
from reports.figures import standalone
from reports.printed import Column, printed

WIDTH = 80
SCHEMA_VERSION = 1


def write_outcome(outcome: Outcome) -> list[Path]:
    """Write the finding into the study's folder.

    Raises:
        StorageError: If the folder cannot be written to.
    """
    drawings: dict[Path, bytes] = {}
    for name, plot in outcome.finding.figures.items():
        drawings[outcome.root / f"{name}.svg"] = standalone(plot.svg).encode()
        drawings[outcome.root / f"{name}.pdf"] = printed(plot, Column.DOUBLE, "pdf")
    text, numbers = outcome.root / "finding.md", outcome.root / "finding.json"
    with writing(outcome.root):
        for path, content in drawings.items():
            write_whole(path, content)
        write_json(numbers, facts(outcome))
        write_whole(text, _markdown(outcome).encode(errors="backslashreplace"))
    return [text, numbers, *drawings]


def render(outcome: Outcome) -> str:
    """For the terminal: the question, the answer, the table, the notes."""
    finding = outcome.finding
    headers = [textwrap.fill(header, 16) for header in finding.headers]
    rows = [[cell.replace(" (", "\n(") for cell in row] for row in finding.rows]
    table = tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
    texts = [textwrap.fill(text, WIDTH) for text in (outcome.study.question, finding.sentence)]
    return "\n\n".join([*texts, table, *(textwrap.fill(note, WIDTH) for note in _notes(outcome))])


def _markdown(outcome: Outcome) -> str:
    study, finding = outcome.study, outcome.finding
    rows = [[cell.replace("|", r"\|") for cell in row] for row in finding.rows]
    table = tabulate(rows, finding.headers, tablefmt="pipe", disable_numparse=True)
    figures = [f"![{plot.title}: {plot.subtitle}]({name}.svg)" for name, plot in finding.figures.items()]
    runs = ", ".join(f"[{name}]({name}/report/report.md)" for name in outcome.runs)
    opening = f"# Study: {study.name}\n\n{study.question} (NeuronTune: {study.paper})"
    closing = [f"Runs: {runs}."] if runs else []
    return "\n\n".join([opening, f"**{finding.sentence}**", table, *figures, *_notes(outcome), *closing]) + "\n"


def _notes(outcome: Outcome) -> list[str]:
    failed = [f"Failed: {place}: {reason}" for place, reason in outcome.failures.items()]
    return [*outcome.finding.notes, *failed]


def facts(outcome: Outcome) -> dict[str, object]:
    """Content of `finding.json`."""
    finding = outcome.finding
    return {
        "schema_version": SCHEMA_VERSION,
        "study": outcome.study.name,
        "question": outcome.study.question,
        "paper": outcome.study.paper,
        "options": dict(outcome.request.options),
        "settings": dict(outcome.request.settings),
        "sentence": finding.sentence,
        "table": {"headers": list(finding.headers), "rows": [list(row) for row in finding.rows]},
        "facts": dict(finding.facts),
        "notes": list(finding.notes),
        "failures": dict(outcome.failures),
        "runs": list(outcome.runs),
    }
