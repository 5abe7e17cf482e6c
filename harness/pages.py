"""The second walk: from a run folder to results and pages. No model is loaded."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.run_folder import RunFolder
from harness.storage import write_json, write_whole, writing

PAGES = ("markdown", "html")
"""Formats that are written."""


class Pages(NamedTuple):
    """What a run came to."""

    leaderboard: str
    """For the terminal."""
    results: Mapping[str, Any]
    """Content of `results.json`."""
    files: Mapping[str, Path]
    """`results`, `costs`, and each page by its format."""
    failed: tuple[str, ...]
    """Arms that were stopped."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of the pages."""
        return tuple(self.files[name] for name in PAGES)


def write_pages(folder: RunFolder, judge: str | None, note: Callable[[str], None]) -> Pages:
    """Judge, estimate, and write `results.json`, `costs.json` and the pages under `report/`.

    What another judge than the run's own comes to goes beside: `results.JUDGE.json`, pages under `report/JUDGE/`.

    Raises:
        UserError: If this is no run folder, or there is no such judge.
        StorageError: If the folder cannot be written to.
    """
    from harness.comparison import compare
    from harness.results import costs, results
    from harness.screen import columns
    from reports import terminal
    from reports.registry import RENDERERS

    comparison = compare(folder, judge, note)
    other = judge if judge != comparison.protocol["judge"] else None
    git_hash = comparison.provenance.get("git_hash")
    files = {"results": folder.results(other), "costs": folder.root / "costs.json"}
    with writing(folder.root):
        content = results(comparison, git_hash if isinstance(git_hash, str) else None)
        write_json(files["results"], content | ({"judge_argument": other} if other else {}))
        write_json(files["costs"], costs(comparison))
        for name in PAGES:
            path = folder.report(other) / f"report{RENDERERS[name].suffix}"
            write_whole(path, RENDERERS[name].render(comparison).encode(errors="backslashreplace"))
            files[name] = path
    failed = tuple(arm.name for arm in comparison.arms if arm.failure)
    return Pages(terminal.render(comparison, columns()), content, files, failed)
