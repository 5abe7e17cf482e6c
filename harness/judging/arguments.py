"""What `equipoise judge` takes."""

from pathlib import Path
from typing import Annotated

import typer

from harness import flags


def judge(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tables of labelled replies, or run folders.")],
    judges: Annotated[str, typer.Option(help="Their names, by commas.")] = "keyword,linear",
    text: Annotated[str | None, typer.Option(help="Column of the reply.  [default: as published]")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the human label.  [default: as published]")] = None,
    refused: Annotated[str | None, typer.Option(help="Labels that mean a refusal, by commas.")] = None,
    annotators: Annotated[str | None, typer.Option(help="Columns of single humans, by commas.")] = None,
    group: Annotated[str | None, typer.Option(help="Column to tell figures by.  [default: by file]")] = None,
    as_json: flags.AsJson = False,
    output: Annotated[Path | None, typer.Option(help="File to write too: .md or .json.")] = None,
) -> None:
    """Hold judges to human labels, and to each other: accuracy, sensitivity, specificity and kappa."""
    from harness.judging.command import Request, compare_judges, listed
    from harness.judging.written import check_ending, printed, write
    from harness.progress import Display

    if output is not None:
        check_ending(output)
    request = Request(text or "", label or "", listed(refused), listed(annotators), group or "")
    found = compare_judges(paths, judges, request, Display().note)
    typer.echo(printed(found, as_json=as_json), nl=False)
    if output is not None:
        write(found, output)
