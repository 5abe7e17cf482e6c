"""The commands on tables of papers: `paper` makes them from runs, `audit` recomputes printed ones."""

from pathlib import Path
from typing import Annotated

import typer

from harness import flags


def paper(
    table: Annotated[str, typer.Argument(help="table1 to table7, or figure3.")],
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders: models, or parts of one table.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for Markdown, HTML, LaTeX and CSV.  [default: print Markdown]")
    ] = None,
    intervals: Annotated[bool, typer.Option("--intervals", help="95 % intervals in the cells.")] = False,
    significance: Annotated[
        bool,
        typer.Option(
            "--significance/--no-significance", help="Bold what a paired test supports, or the best as the paper does."
        ),
    ] = True,
    beside_published: Annotated[
        bool, typer.Option("--beside-published", help="The paper's numbers in brackets, for models that it has.")
    ] = False,
    published_model: Annotated[
        str | None, typer.Option(help="Whose numbers, for instance LLaMA3.1-8B-Instruct.  [default: by name]")
    ] = None,
    arms: Annotated[str | None, typer.Option(help="Labels by commas, to leave others out.")] = None,
    harmful: Annotated[str | None, typer.Option(help="Harmful benchmark.  [default: of an agreed pair]")] = None,
    benign: Annotated[str | None, typer.Option(help="Benign benchmark.  [default: of an agreed pair]")] = None,
    accuracy: Annotated[str | None, typer.Option(help="Benchmark with right answers.  [default: mmlu, or any]")] = None,
    plain: Annotated[str | None, typer.Option(help="table5: benchmark of the same questions without attacks.")] = None,
    judge: Annotated[str | None, typer.Option(help="Read all replies with this judge.  [default: the runs']")] = None,
    paper_average: Annotated[
        bool, typer.Option("--paper-average", help="table3: the paper's average of percent, perplexity and bits.")
    ] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Make a table of the NeuronTune paper, or its figure 3, from runs. No model is loaded."""
    from harness.paper.command import paper as make
    from harness.paper.layout import Options
    from harness.progress import Display

    options = Options(
        arms=tuple(label.strip() for label in arms.split(",") if label.strip()) if arms else (),
        harmful=harmful,
        benign=benign,
        accuracy=accuracy,
        plain=plain,
        judge=judge,
        intervals=intervals,
        significance=significance,
        beside_published=beside_published,
        published_model=published_model,
        paper_average=paper_average,
    )
    typer.echo(make(table, runs, options, output, Display().note, as_json=as_json))


def audit(
    file: Annotated[
        Path | None, typer.Argument(help="A CSV of your own.  [default: the NeuronTune paper's tables]")
    ] = None,
    harmful_refusal: Annotated[str | None, typer.Option(help="Column of refused harmful prompts, in percent.")] = None,
    harmful_entropy: Annotated[str | None, typer.Option(help="Column of their replies' entropy, in bits.")] = None,
    benign_refusal: Annotated[str | None, typer.Option(help="Column of refused benign prompts, in percent.")] = None,
    benign_entropy: Annotated[str | None, typer.Option(help="Column of their replies' entropy, in bits.")] = None,
    su_f1: Annotated[str | None, typer.Option("--su-f1", help="Column of SU-F1.")] = None,
    harmful_n: Annotated[int | None, typer.Option(help="Harmful prompts: rates must be multiples of one.")] = None,
    benign_n: Annotated[int | None, typer.Option(help="Benign prompts: rates must be multiples of one.")] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="End with 0 also where something was found.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Recompute printed tables and list what does not follow. Exit code 1 if anything was found, as a linter's."""
    from harness.audit import audit as recompute
    from harness.audit import render
    from harness.documents import document, of_audit
    from metrics.published import checks

    named = {
        checks.HARMFUL: harmful_refusal,
        checks.HARMFUL_BITS: harmful_entropy,
        checks.BENIGN: benign_refusal,
        checks.BENIGN_BITS: benign_entropy,
        checks.SU_F1: su_f1,
    }
    sizes = {checks.HARMFUL: harmful_n, checks.BENIGN: benign_n}
    found = recompute(
        file,
        {column: name for column, name in named.items() if name is not None},
        {column: n for column, n in sizes.items() if n is not None},
    )
    subject = str(file) if file else "NeuronTune, arXiv 2508.09473v1, tables 1 to 7"
    typer.echo(document(of_audit(found, subject)) if as_json else render(found, subject))
    raise typer.Exit(1 if found.findings and not exit_zero else 0)
