"""The commands that turn replies on disk into pages; none of them loads a model."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from harness import flags


def report(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or its URL, finished or not.")],
    judge: Annotated[str | None, typer.Option(help="Read the replies with another judge.")] = None,
    as_json: flags.AsJson = False,
) -> None:
    """Judge the replies of a run again and write its pages. No model is loaded."""
    from harness.documents import document, of_pages
    from harness.pages import write_pages
    from harness.progress import Display
    from harness.remote.opened import opened_to_read

    with opened_to_read(folder) as run_folder:
        pages = write_pages(run_folder, judge, Display().note)
    if as_json:
        return typer.echo(document(of_pages(pages, run_folder.shown)))
    for path in pages.paths:
        typer.echo(run_folder.shown(path))


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN [RUN]", help="One run folder or two, or their URLs.")],
    arms: Annotated[
        str | None,
        typer.Option(help="A,B: two arms of one run, the baseline first; of two runs one of each, or one of both."),
    ] = None,
    judge: Annotated[str | None, typer.Option(help="Read the replies with this judge.  [default: the runs']")] = None,
    output: Annotated[Path | None, typer.Option(help="FILE.html: the report's page on these two arms.")] = None,
    is_whole: Annotated[bool, typer.Option("--all", help="Every number and every changed verdict.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Hold one arm against another on the same prompts: differences with tests, and verdicts that changed.

    Two runs without --arms: every arm that both have against itself. No model is loaded.
    """
    from benchmarks.errors import UserError
    from harness.contrast.command import Options
    from harness.contrast.command import compare as contrast
    from harness.progress import Display
    from harness.remote.opened import opened_to_read

    if len(runs) > 2:
        raise UserError(f"compare takes one run or two; {len(runs)} were given.")
    labels = tuple(label.strip() for label in arms.split(",") if label.strip()) if arms else ()
    options = Options(labels, judge, output, is_whole, as_json)
    with ExitStack() as stack:
        folders = [stack.enter_context(opened_to_read(run)) for run in runs]
        typer.echo(contrast(folders, options, Display().note))


def verify(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or its URL, finished or not.")],
    as_json: flags.AsJson = False,
) -> None:
    """Recompute every published number from the replies and check every hash. Exit code 1 if anything differs."""
    from harness.documents import document
    from harness.findings import Level, table
    from harness.remote.opened import opened_to_read
    from harness.verify.command import FINE, facts
    from harness.verify.command import verify as examine

    with opened_to_read(folder) as run_folder:
        lines = examine(run_folder)
        typer.echo(document(facts(run_folder, lines)) if as_json else table(lines, FINE))
    raise typer.Exit(1 if any(line.level is Level.PROBLEM for line in lines) else 0)


def view(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, finished, in progress or not yet there.")],
    port: Annotated[int | None, typer.Option(help="0 is any that is free.  [default: 8765, or any]")] = None,
    judge: Annotated[str | None, typer.Option(help="Read the replies with another judge.")] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open it in a browser, too.")] = False,
) -> None:
    """Show a run in progress to a browser of this machine: how far it is, the report of what is there. Read-only."""
    from harness.viewing.command import view as serve

    raise typer.Exit(serve(folder, port, judge, typer.echo, opens=opens))


def figures(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or its URL, finished or not.")],
    output: Annotated[Path | None, typer.Option(help="Folder to write to.  [default: report/figures in RUN]")] = None,
    column: Annotated[str, typer.Option(help="single (3.25 in wide) or double (6.75 in).")] = "single",
    judge: Annotated[str | None, typer.Option(help="Read the replies with another judge.")] = None,
) -> None:
    """Write every plot of a run as SVG and PDF for a paper. No model is loaded."""
    from harness.figure_files import column_named, write_figures
    from harness.progress import Display
    from harness.remote.opened import opened_to_read

    width = column_named(column)
    with opened_to_read(folder) as run_folder:
        paths = write_figures(run_folder, judge, width, output, Display().note)
    for path in paths:
        typer.echo(path if output else run_folder.shown(path))


def leaderboard(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders or their URLs, finished or not.")],
    output: Annotated[Path, typer.Option(help="Folder of the site; a new one, or an older site.")],
    judge: Annotated[str | None, typer.Option(help="Read all replies with this judge.  [default: the runs']")] = None,
    one_group: Annotated[
        bool, typer.Option("--one-group", help="Refuse runs that cannot be ranked together, and say what differs.")
    ] = False,
) -> None:
    """Make a static site that ranks the arms of many runs, ties included. No model is loaded."""
    from harness.progress import Display
    from harness.site.command import leaderboard as make

    for line in make(runs, output, judge, Display().note, is_one_group=one_group):
        typer.echo(line)
