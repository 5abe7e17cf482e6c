import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reports.registry
from benchmarks import registry as benchmark_registry
from harness import registry as harness_registry
from harness.cli import main
from methods import registry as method_registry
from reports.registry import RENDERERS
from tests.harness import fakes
from tests.harness.fakes import FakeModel

Equipoise = Callable[..., int]


@pytest.fixture
def model() -> Iterator[FakeModel]:
    """The model behind `--engine fake`, with all fakes in the tables while the test runs."""
    tables: list[dict[str, Any]] = [
        vars(benchmark_registry)["BENCHMARKS"],
        vars(benchmark_registry)["ALIGNMENT"],
        vars(method_registry)["METHODS"],
        vars(harness_registry)["ENGINES"],
    ]
    before = [dict(table) for table in tables]
    fakes.Prefix.fits.clear()
    fake = FakeModel()
    fakes.install(fake)
    yield fake
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)


@pytest.fixture
def equipoise(monkeypatch: pytest.MonkeyPatch) -> Equipoise:
    """The program as typed; gives its exit code."""

    def type_in(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["equipoise", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0)

    return type_in


@pytest.fixture
def run_fakes(equipoise: Equipoise, model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Equipoise:
    """`equipoise run` on the fakes, into the folder `run`; further flags win. The page, slow to draw, is empty."""
    del model
    page = replace(RENDERERS["html"], render=lambda _: "<!DOCTYPE html>" + " " * 100)
    monkeypatch.setitem(vars(reports.registry)["RENDERERS"], "html", page)

    def run(*arguments: str) -> int:
        standard = {
            "--model": "fake",
            "--engine": "fake",
            "--methods": "prefix",
            "--benchmarks": "bad,good,facts",
            "--data": "fakes",
            "--judge": "keyword",
            "--batch-size": "4",
            "--output": str(tmp_path / "run"),
        }
        flags = [part for name, value in standard.items() if name not in arguments for part in (name, value)]
        return equipoise("run", *flags, *arguments)

    return run
