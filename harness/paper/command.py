"""`equipoise paper`: one table or figure from runs, printed or written in every format."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.errors import UserError, unknown_name
from harness.answers import Note
from harness.documents import document, of_paper_table
from harness.paper import layers
from harness.paper.building import build
from harness.paper.evidence import entries, read_runs
from harness.paper.layout import Options
from harness.paper.layouts import LAYOUTS
from harness.storage import write_whole, writing
from reports.paper import comma_separated, latex, markdown, page
from reports.paper.neuron_layers import Series, neuron_layers
from reports.paper.table import PaperTable
from reports.printed import FORMATS, Column, printed

FIGURE = "figure3"


def paper(name: str, paths: Sequence[Path], options: Options, output: Path | None, note: Note, *, as_json: bool) -> str:
    """Make one table or figure; without a folder to write to, the answer is the table in Markdown, else the files.

    With `as_json` it is one document of both.

    Raises:
        StorageError: If the folder cannot be written to.
        UserError: If there is no such table, or the runs do not make one.
    """
    if name not in (*LAYOUTS, FIGURE):
        raise unknown_name("table of the paper", name, (*LAYOUTS, FIGURE))
    if options.published_model and not options.beside_published:
        raise UserError("--published-model says whose numbers to print beside ours. Give --beside-published too.")
    runs = read_runs(paths, options.judge, note)
    arms = entries(runs, options.arms)
    if name == FIGURE:
        entry = layers.chosen_arm(arms)
        panels = layers.series(entry)
        table = layers.table(entry, panels, entry.places[0][0], options)
        files = _figure_files(table, panels)
    else:
        table = build(LAYOUTS[name](runs, arms, options), runs, options)
        files = _table_files(table)
    written = _write(output, name, files) if output else []
    if as_json:
        return document(of_paper_table(table, written))
    return "\n".join(map(str, written)) if output else markdown.render(table)


def _table_files(table: PaperTable) -> dict[str, bytes]:
    texts = {
        ".md": markdown.render(table),
        ".html": page.render(table),
        ".tex": latex.render(table),
        ".csv": comma_separated.render(table),
    }
    return {suffix: text.encode(errors="backslashreplace") for suffix, text in texts.items()}


def _figure_files(table: PaperTable, panels: Sequence[Series]) -> dict[str, bytes]:
    plot = neuron_layers(panels, table.caption)
    texts = {".html": page.render(table, plot.svg), ".tex": latex.figure(table, f"{FIGURE}.pdf")}
    changed = {suffix: text.encode(errors="backslashreplace") for suffix, text in texts.items()}
    drawings = {f".{form}": printed(plot, Column.SINGLE, form) for form in FORMATS}
    return {**_table_files(table), **changed, **drawings}


def _write(folder: Path, name: str, files: Mapping[str, bytes]) -> list[Path]:
    paths = [folder / f"{name}{suffix}" for suffix in files]
    with writing(folder):
        for path, content in zip(paths, files.values(), strict=True):
            write_whole(path, content)
    return paths
