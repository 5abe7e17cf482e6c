"""The command line: arguments only.

Exit code 0: fine, 1: an arm failed or an audit found something, 2: a user's mistake, 130: interrupted.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.errors import UserError
from harness import author_commands, flags, page_commands, table_commands
from harness.judging import arguments
from reports.foreign import visible

if TYPE_CHECKING:
    from harness.config import RunConfig
    from harness.plan import Plan
    from harness.tuning.config import TuningConfig

ARMS = (
    "Arms by commas: [label=]name[setting=value,...], names joined by +, @FOLDER of tuned settings after; "
    "a name may be path/to/file.py:Class.  [default: all built-in methods]"
)

DATA = "What methods learn from: embedded, published[attack=FILE]; [attacks=NAME] after; + joins.  [default: by model]"
BENCHMARKS = (
    "Names by commas, or file:PATH[prompt=COLUMN,intent=harmful]; [attack=FILE] after any puts its questions into "
    "templates.  [default: all embedded ones; for another model none]"
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
        print(f"equipoise: {visible(str(error))}", file=sys.stderr)
        raise SystemExit(2) from error


@app.command()
def run(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="YAML file with these settings; flags win over it.")] = None,
    model: flags.Model = None,
    revision: flags.Revision = None,
    engine: flags.Engine = None,
    device: flags.Device = None,
    device_map: flags.DeviceMap = None,
    dtype: flags.Dtype = None,
    quantize: flags.Quantize = None,
    attention: flags.Attention = None,
    trust_remote_code: flags.TrustRemoteCode = False,
    system_prompt: flags.SystemPrompt = None,
    date: flags.Date = None,
    control_tokens: flags.ControlTokens = None,
    max_new_tokens: flags.MaxNewTokens = None,
    methods: Annotated[str | None, typer.Option(help=ARMS)] = None,
    benchmarks: Annotated[str | None, typer.Option(help=BENCHMARKS)] = None,
    judge: Annotated[str | None, typer.Option(help="Who reads the replies.  [default: by model]")] = None,
    data: Annotated[str | None, typer.Option(help=DATA)] = None,
    limit: Annotated[str | None, typer.Option(help="First N prompts of each benchmark, or a share below 1.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Prompts at once.  [default: auto]")] = None,
    seed: Annotated[list[str] | None, typer.Option(help="Seeds, by commas or repeated.  [default: 0]")] = None,
    output: Annotated[str | None, typer.Option(help="Run folder or URL; an unfinished run is gone on with.")] = None,
    cluster: flags.Cluster = None,
    cluster_address: flags.ClusterAddress = None,
    gpus_per_cell: flags.GpusPerCell = None,
    workers: flags.Workers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Compare methods on a model. The same command again goes on where it stopped."""
    from harness.documents import document, of_plan
    from harness.dry_run import describe_plan
    from harness.plan import make_plan
    from harness.remote.opened import opened_to_read

    settings = _configured(context.params)
    plan = make_plan(settings)
    if dry_run:
        with opened_to_read(settings.url or str(settings.output)):
            told = describe_plan(settings, plan)
        return typer.echo(document(of_plan(told)) if as_json else told)
    raise typer.Exit(_run(settings, plan, as_json=as_json))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def doctor(context: typer.Context) -> None:
    """Look whether a run could start, and say what is missing and how to get it. Takes the flags of `run`."""
    from harness.doctor import examine, stops
    from harness.documents import document, of_findings
    from harness.findings import table

    params = _params_of_run(context, "doctor")
    findings = examine(_configured(params))
    typer.echo(document(of_findings(findings)) if params["as_json"] else table(findings))
    raise typer.Exit(2 if stops(findings) else 0)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def study(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As in `equipoise list studies`.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="name=value: what the study varies, or a setting of its method.")
    ] = None,
) -> None:
    """Answer one question about a paper, with a test. Takes the flags of `run`; the same command again goes on."""
    from harness.studies.command import study as carry_out

    params = _params_of_run(context, "study")
    code = carry_out(
        name, flags.of_run(params), changes or (), typer.echo, is_dry=params["dry_run"], as_json=params["as_json"]
    )
    raise typer.Exit(code)


@app.command()
def export(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or its URL.")],
    arm: Annotated[str, typer.Option(help="Its label, or its method where no other arm has it.")],
    output: Annotated[Path, typer.Option(help="Folder to write; it must be new or empty.")],
    seed: Annotated[int | None, typer.Option(help="Of the fit.  [default: the run's first]")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.  [default: the run's]")] = None,
    artefact: Annotated[
        bool, typer.Option("--artefact", help="What was fitted, also where a checkpoint can be.")
    ] = False,
) -> None:
    """Write a fitted arm as a checkpoint that other programs load; where it is no edit of weights, as its artefact."""
    from harness.export.command import export as write
    from harness.remote.opened import opened_to_read

    with opened_to_read(folder) as run_folder:
        typer.echo(write(run_folder, arm, seed, output, dtype, as_artefact=artefact))


@app.command("list")
def list_names(
    kind: Annotated[str, typer.Argument(help="methods, metrics, benchmarks, judges, engines, models or studies")],
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Settings with ranges and sources.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Show what can be named on the command line."""
    from harness.documents import document
    from harness.listing import facts, listing

    typer.echo(document(facts(kind, verbose=verbose)) if as_json else listing(kind, verbose=verbose))


@app.command()
def tune(
    context: typer.Context,
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
    model: flags.Model = None,
    revision: flags.Revision = None,
    engine: flags.Engine = None,
    device: flags.Device = None,
    device_map: flags.DeviceMap = None,
    dtype: flags.Dtype = None,
    quantize: flags.Quantize = None,
    attention: flags.Attention = None,
    trust_remote_code: flags.TrustRemoteCode = False,
    system_prompt: flags.SystemPrompt = None,
    date: flags.Date = None,
    control_tokens: flags.ControlTokens = None,
    max_new_tokens: flags.MaxNewTokens = None,
    judge: Annotated[str | None, typer.Option(help="As for run.  [default: by model]")] = None,
    data: Annotated[str | None, typer.Option(help="What is learnt from and tuned on.  [default: by model]")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Prompts at once.  [default: auto]")] = None,
    seed: Annotated[str | None, typer.Option(help="Of every fit and of the search.  [default: 0]")] = None,
    output: Annotated[str | None, typer.Option(help="Folder of the study.  [default: runs/tune/METHOD]")] = None,
    as_json: flags.AsJson = False,
) -> None:
    """Search a method's settings on dev prompts, its defaults first. The same command again goes on."""
    from harness.tuning.config import build_tuning

    given = flags.given(context.params, {"fixed": "set"}, without=("method", "as_json"))
    raise typer.Exit(_tune(build_tuning(method, given), as_json=as_json))


app.command("new-method")(author_commands.new_method)
app.command()(author_commands.check)
app.command()(page_commands.report)
app.command()(page_commands.compare)
app.command()(page_commands.verify)
app.command()(page_commands.view)
app.command()(page_commands.figures)
app.command()(page_commands.leaderboard)
app.command()(table_commands.paper)
app.command()(table_commands.audit)
app.command()(arguments.judge)


def _configured(params: Mapping[str, Any]) -> "RunConfig":
    """What the flags of `run` and its file ask for."""
    from harness.config import build_config

    return build_config(flags.of_run(params))


def _params_of_run(context: typer.Context, command: str) -> dict[str, Any]:
    """What a command is given that takes the flags of `run`."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group.commands["run"].make_context(command, context.args).params


def _tune(config: "TuningConfig", *, as_json: bool) -> int:
    """The exit code of a whole study, its table included."""
    from harness.documents import document, of_tuning
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
    typer.echo(document(of_tuning(outcome)) if as_json else render(outcome))
    if outcome.best is None:
        display.note(f"error: every trial failed, the first for this reason: {outcome.trials[0].reason}")
    return 0 if outcome.best else 1


def _run(config: "RunConfig", plan: "Plan", *, as_json: bool) -> int:
    """The exit code of a whole run, leaderboard and pages included."""
    from harness.documents import document, of_pages
    from harness.pages import write_pages
    from harness.progress import Display
    from harness.remote.opened import opened_to_read
    from harness.runner import run as run_plan

    display = Display()
    try:
        with display.shown():
            failed = run_plan(config, plan, display)
    except KeyboardInterrupt:
        display.note("Stopped. Finished replies are kept: the same command goes on from here.")
        return 130
    with opened_to_read(config.url or str(config.output)) as folder:
        pages = write_pages(folder, None, display.note)
    shown = map(folder.shown, pages.paths)
    typer.echo(document(of_pages(pages, folder.shown)) if as_json else "\n".join([pages.leaderboard, *shown]))
    return 1 if failed else 0
