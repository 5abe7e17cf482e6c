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
