"""The command line: arguments only. Exit code 0: fine, 1: an arm failed, 2: a user's mistake, 130: interrupted."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from harness.config import RunConfig
    from harness.plan import Plan
    from harness.tuning.config import TuningConfig

ARMS = (
    "Arms by commas: [label=]name[setting=value,...], names joined by +, @FOLDER of tuned settings after; "
    "a name may be path/to/file.py:Class.  [default: all built-in methods]"
)

app = typer.Typer(
    name="equipoise",
    help="The honest comparison of safety-alignment methods for chat models.",
    context_settings={
        "token_normalize_func": lambda name: name.replace("_", "-"),  # --batch_size is --batch-size
        "help_option_names": ["-h", "--help"],
    },
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point of `equipoise`."""
    try:
        app()
    except UserError as error:
        print(f"equipoise: {error}", file=sys.stderr)
        raise SystemExit(2) from error


@app.command()
def run(
    config: Annotated[Path | None, typer.Option(help="YAML file with these settings; flags win over it.")] = None,
    model: Annotated[str | None, typer.Option(help="Built-in name, hub id or folder.  [default: embedded]")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the model on the hub.")] = None,
    engine: Annotated[str | None, typer.Option(help="What runs the model.  [default: transformers]")] = None,
    methods: Annotated[str | None, typer.Option(help=ARMS)] = None,
    benchmarks: Annotated[str | None, typer.Option(help="Names by commas.  [default: all]")] = None,
    judge: Annotated[str | None, typer.Option(help="Who reads the replies.  [default: by model]")] = None,
    data: Annotated[str | None, typer.Option(help="What methods learn from.  [default: embedded]")] = None,
    limit: Annotated[str | None, typer.Option(help="First N prompts of each benchmark, or a share below 1.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Prompts at once.  [default: auto]")] = None,
    seed: Annotated[list[str] | None, typer.Option(help="Seeds, by commas or repeated.  [default: 0]")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.  [default: auto]")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.  [default: auto]")] = None,
    max_new_tokens: Annotated[str | None, typer.Option(help="Longest reply in tokens.  [default: 512]")] = None,
    output: Annotated[str | None, typer.Option(help="Run folder; an unfinished one is gone on with.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
) -> None:
    """Compare methods on a model. The same command again goes on where it stopped."""
    from harness.config import build_config
    from harness.config_file import read_config_file
    from harness.dry_run import describe_plan
    from harness.plan import make_plan

    flags = {
        "model": model,
        "revision": revision,
        "engine": engine,
        "methods": methods,
        "benchmarks": benchmarks,
        "judge": judge,
        "data": data,
        "limit": limit,
        "batch_size": batch_size,
        "seeds": seed or None,
        "device": device,
        "dtype": dtype,
        "max_new_tokens": max_new_tokens,
        "output": output,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    settings = build_config((read_config_file(config) if config else {}) | given)
    plan = make_plan(settings)
    if dry_run:
        return typer.echo(describe_plan(settings, plan))
    raise typer.Exit(_run(settings, plan))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, finished or not.")],
    judge: Annotated[str | None, typer.Option(help="Read the replies with another judge.")] = None,
) -> None:
    """Judge the replies of a run again and write its pages. No model is loaded."""
    from harness.pages import write_pages
    from harness.progress import Display
    from harness.run_folder import RunFolder

    pages = write_pages(RunFolder(folder), judge, Display().note)
    for path in pages.paths:
        typer.echo(path)


@app.command("list")
def list_names(
    kind: Annotated[str, typer.Argument(help="methods, metrics, benchmarks, judges or models")],
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Settings with ranges and sources.")] = False,
) -> None:
    """Show what can be named on the command line."""
    from harness.listing import listing

    typer.echo(listing(kind, verbose=verbose))


@app.command("new-method")
def new_method(
    name: Annotated[str, typer.Argument(help="Of the method and its file, for instance my_method.")],
    output: Annotated[Path, typer.Option(help="Folder for the two files.")] = Path(),
) -> None:
    """Write a method of your own to start from: one working file, and its test."""
    from harness.scaffold.new_method import write_method

    written = write_method(name, output)
    typer.echo(
        f"{written.method}  the method, which works as it is: replace what it does\n"
        f"{written.test}  its test: the conformance kit, and what you add\n\n"
        f"Run it:    equipoise run --methods default,{written.argument} --limit 20\n"
        f"Check it:  equipoise check {written.argument}\n"
        f"Test it:   python -m pytest {written.test}"
    )


@app.command()
def check(
    method: Annotated[str, typer.Argument(help="As one arm of --methods: name, name[setting=value], file.py:Class.")],
    family: Annotated[str, typer.Option(help="Tiny model of most checks; others get a check each.")] = "llama",
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting to check it with: name=value.")] = None,
) -> None:
    """Hold a method to the contract of all methods, on tiny random models."""
    from harness.conformance.command import check_method

    raise typer.Exit(0 if check_method(method, family, settings or (), typer.echo) else 1)


@app.command()
def tune(
    method: Annotated[
        str, typer.Argument(help="name, name[setting=value,...] or a chain; what it sets is not searched.")
    ],
    objective: Annotated[str | None, typer.Option(help="su_f1, safety or utility.  [default: su_f1]")] = None,
    fixed: Annotated[list[str] | None, typer.Option("--set", help="A setting not to search: name=value.")] = None,
    trials: Annotated[str | None, typer.Option(help="Budget in trials.  [default: 20]")] = None,
    forward_equivalents: Annotated[
        str | None, typer.Option(help="Budget in forward equivalents: fits, and one a dev prompt.")
    ] = None,
    dev_prompts: Annotated[str | None, typer.Option(help="Most dev prompts of either intent.  [default: all]")] = None,
    model: Annotated[str | None, typer.Option(help="As for run.  [default: embedded]")] = None,
    revision: Annotated[str | None, typer.Option(help="As for run.")] = None,
    engine: Annotated[str | None, typer.Option(help="As for run.  [default: transformers]")] = None,
    judge: Annotated[str | None, typer.Option(help="As for run.  [default: by model]")] = None,
    data: Annotated[str | None, typer.Option(help="What is learnt from and tuned on.  [default: embedded]")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Prompts at once.  [default: auto]")] = None,
    seed: Annotated[str | None, typer.Option(help="Of every fit and of the search.  [default: 0]")] = None,
    device: Annotated[str | None, typer.Option(help="As for run.  [default: auto]")] = None,
    dtype: Annotated[str | None, typer.Option(help="As for run.  [default: auto]")] = None,
    max_new_tokens: Annotated[str | None, typer.Option(help="Longest reply in tokens.  [default: 512]")] = None,
    output: Annotated[str | None, typer.Option(help="Folder of the study.  [default: runs/tune/METHOD]")] = None,
) -> None:
    """Search a method's settings on dev prompts, its defaults first. The same command again goes on."""
    from harness.tuning.config import build_tuning

    given = {
        "objective": objective,
        "set": fixed,
        "trials": trials,
        "forward_equivalents": forward_equivalents,
        "dev_prompts": dev_prompts,
        "model": model,
        "revision": revision,
        "engine": engine,
        "judge": judge,
        "data": data,
        "batch_size": batch_size,
        "seed": seed,
        "device": device,
        "dtype": dtype,
        "max_new_tokens": max_new_tokens,
        "output": output,
    }
    raise typer.Exit(_tune(build_tuning(method, given)))


def _tune(config: "TuningConfig") -> int:
    """The exit code of a whole study, its table included."""
    from harness.progress import Display
    from harness.tuning.outcome import write_outcome
    from harness.tuning.plan import plan_study
    from harness.tuning.study import run_study
    from harness.tuning.table import render

    display = Display()
    try:
        with display.shown():
            outcome = run_study(plan_study(config), display)
    except KeyboardInterrupt:
        display.note("Stopped. Finished trials are kept: the same command goes on from here.")
        return 130
    write_outcome(outcome)
    typer.echo(render(outcome))
    if outcome.best is None:
        display.note(f"error: every trial failed, the first for this reason: {outcome.trials[0].reason}")
    return 0 if outcome.best else 1


def _run(config: "RunConfig", plan: "Plan") -> int:
    """The exit code of a whole run, leaderboard and pages included."""
    from harness.pages import write_pages
    from harness.progress import Display
    from harness.run_folder import RunFolder
    from harness.runner import run as run_plan

    display = Display()
    try:
        with display.shown():
            failed = run_plan(config, plan, display)
    except KeyboardInterrupt:
        display.note("Stopped. Finished replies are kept: the same command goes on from here.")
        return 130
    pages = write_pages(RunFolder(config.output), None, display.note)
    typer.echo(pages.leaderboard)
    for path in pages.paths:
        typer.echo(path)
    return 1 if failed else 0
