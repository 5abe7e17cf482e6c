"""The commands that turn replies on disk into pages; none of them loads a model."""

from typing import Annotated

import typer


def report(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or its URL, finished or not.")],
    judge: Annotated[str | None, typer.Option(help="Read the replies with another judge.")] = None,
) -> None:
    """Judge the replies of a run again and write its pages. No model is loaded."""
    from harness.pages import write_pages
    from harness.progress import Display
    from harness.remote.opened import opened_to_read

    with opened_to_read(folder) as run_folder:
        pages = write_pages(run_folder, judge, Display().note)
    for path in pages.paths:
        typer.echo(run_folder.shown(path))


def verify(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or its URL, finished or not.")],
    as_json: Annotated[bool, typer.Option("--json", help="The same for machines.")] = False,
) -> None:
    """Recompute every published number from the replies and check every hash. Exit code 1 if anything differs."""
    import json

    from harness.findings import Level, table
    from harness.remote.opened import opened_to_read
    from harness.verify.command import FINE, facts
    from harness.verify.command import verify as examine
    from reports.foreign import one_line

    with opened_to_read(folder) as run_folder:
        lines = [line._replace(text=one_line(line.text)) for line in examine(run_folder)]
        typer.echo(json.dumps(facts(run_folder, lines), indent=2) if as_json else table(lines, FINE))
    raise typer.Exit(1 if any(line.level is Level.PROBLEM for line in lines) else 0)
