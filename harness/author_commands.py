"""The commands for whoever writes a method: `new-method` begins one, `check` holds it to the contract."""

from pathlib import Path
from typing import Annotated

import typer


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


def check(
    method: Annotated[str, typer.Argument(help="As one arm of --methods: name, name[setting=value], file.py:Class.")],
    family: Annotated[str, typer.Option(help="Tiny model of most checks; others get a check each.")] = "llama",
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting to check it with: name=value.")] = None,
) -> None:
    """Hold a method to the contract of all methods, on tiny random models."""
    from harness.conformance.command import check_method

    raise typer.Exit(0 if check_method(method, family, settings or (), typer.echo) else 1)
