from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import registry as benchmark_registry
from methods import registry as method_registry
from tests.harness.fakes import FakeModel
from tests.harness.tuning import dials

Tune = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "study"


@pytest.fixture
def tune(equipoise: Tune, model: FakeModel, folder: Path) -> Tune:
    """`equipoise tune dial` on the fakes; further flags win."""
    del model  # its fixture puts the tables back
    vars(method_registry)["METHODS"]["dial"] = dials.Dial
    vars(benchmark_registry)["ALIGNMENT"]["dials"] = dials.alignment
    vars(benchmark_registry)["ALIGNMENT"]["silent"] = dials.silent
    dials.Dial.fits.clear()

    def type_in(*arguments: str) -> int:
        standard = {
            "--model": "fake",
            "--engine": "fake",
            "--data": "dials",
            "--judge": "keyword",
            "--trials": "6",
            "--batch-size": "8",
            "--output": str(folder),
        }
        if "--forward-equivalents" in arguments:
            del standard["--trials"]
        flags = [part for name, value in standard.items() if name not in arguments for part in (name, value)]
        method = [] if arguments and not arguments[0].startswith("-") else ["dial"]
        return equipoise("tune", *method, *flags, *arguments)

    return type_in
