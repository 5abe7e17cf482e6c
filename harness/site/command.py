"""`equipoise leaderboard`: read the runs, rank them, and write the site."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.answers import Note
from harness.site.building import build
from harness.site.collect import Reading, read_runs
from harness.site.folder import check_is_ours, write_folder
from harness.site.grouping import require_one
from reports.site import page, table
from reports.site.base import Site


def leaderboard(
    places: Sequence[str], output: Path, judge_name: str | None, note: Note, *, is_one_group: bool
) -> list[str]:
    """Write a site over these runs; the answer is what it came to, line by line.

    Raises:
        StorageError: If the folder cannot be written to, or a URL cannot be reached.
        UserError: If the folder is not ours, a place is no run, or the runs make several groups where one is asked for.
    """
    check_is_ours(output)
    readings = read_runs(places, judge_name, note)
    if is_one_group:
        require_one(readings)
    site = build(readings)
    write_folder(output, _files(site, readings))
    return [*table.summary(site), str(output / "index.html")]


def _files(site: Site, readings: Sequence[Reading]) -> dict[str, bytes]:
    """By path in the site; the page comes last, so that it links to nothing that is not there."""
    files: dict[str, bytes] = {}
    for reading in readings:
        files[f"runs/{reading.name}/report.html"] = reading.page
        files[f"runs/{reading.name}/results.json"] = _json(reading.results)
    texts = {
        "leaderboard.csv": table.csv_text(site),
        "leaderboard.tex": table.latex(site),
        "index.html": page.render(site),
    }
    files["leaderboard.json"] = _json(table.content(site))
    return files | {name: text.encode(errors="backslashreplace") for name, text in texts.items()}


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False).encode() + b"\n"
