"""`equipoise figures`: every plot of a run as files for a paper."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.errors import UserError, unknown_name
from harness.run_folder import RunFolder
from harness.storage import write_whole, writing
from reports.figures import Plot
from reports.printed import FORMATS, Column, printed

LONGEST_NAME = 80
"""Of a file, without its ending: some systems take no more than 255 bytes."""


def column_named(name: str) -> Column:
    """The column that `--column` asks for.

    Raises:
        UserError: If there is none.
    """
    columns = {column.name.lower(): column for column in Column}
    if name not in columns:
        raise unknown_name("column", name, columns)
    return columns[name]


def write_figures(
    folder: RunFolder, judge: str | None, column: Column, output: Path | None, note: Callable[[str], None]
) -> list[Path]:
    """Write all plots of a run in all formats, below its pages unless `output` names a folder.

    Raises:
        UserError: If this is no run folder, there is no such judge, or no arm has finished a benchmark.
        StorageError: If the folder cannot be written to.
    """
    from harness.comparison import compare
    from reports.plots import plots

    comparison = compare(folder, judge, note)
    drawn = plots(comparison).all
    if not drawn:
        raise UserError(
            f"'{folder.name}' has nothing to draw: no arm has finished a benchmark that is answered in words. "
            "Finish the run: the same command goes on."
        )
    other = judge if judge != comparison.protocol["judge"] else None
    target = output or folder.report(other) / "figures"
    paths = []
    with writing(target):
        for name, plot in zip(file_names(drawn), drawn, strict=True):
            for form in FORMATS:
                paths.append(target / f"{name}.{form}")
                write_whole(paths[-1], printed(plot, column, form))
    return paths


def file_names(plots: Sequence[Plot]) -> list[str]:
    """Of plots by their keys, in letters, digits, hyphens and underscores, which LaTeX and every disk take; all differ.

    Case does not tell two names apart, since some disks take no notice of it.
    """
    names: list[str] = []
    for plot in plots:
        base = re.sub(r"[^A-Za-z0-9_]+", "-", plot.key).strip("-")[:LONGEST_NAME] or "figure"
        name, number = base, 1
        while name.lower() in {one.lower() for one in names}:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names
