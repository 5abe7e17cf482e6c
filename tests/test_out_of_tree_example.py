import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "out_of_tree"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which the example is installed: built as a wheel, without an index and without this project."""
    target = tmp_path_factory.mktemp("site")
    flags = [
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", str(target), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (target / "mean_shift.py").read_bytes() == (EXAMPLE / "mean_shift.py").read_bytes()
    return {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def equipoise(installed: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=ROOT, env=installed, capture_output=True, text=True)


def test_it_is_one_file_of_at_most_60_lines_and_nothing_here_knows_of_it() -> None:
    assert [path.name for path in EXAMPLE.glob("**/*.py")] == ["mean_shift.py"]
    assert len((EXAMPLE / "mean_shift.py").read_text().splitlines()) <= 60
    packages = ("benchmarks", "metrics", "methods", "reports", "harness")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert not [str(path) for path in sources if "mean_shift" in path.read_text()]


def test_it_is_a_row_of_the_leaderboard(installed: Mapping[str, str], tmp_path: Path) -> None:
    arms = "default,mean_shift,none=mean_shift[strength=0.0]"
    flags = ["--benchmarks", "embedded_attacked,embedded_benign", "--limit", "12", "--max-new-tokens", "12"]
    done = equipoise(installed, "run", "--methods", arms, *flags, "--output", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    (row,) = (row for row in rows if row[:1] == ["mean_shift"])
    numbers = [number.rstrip("*") for number in row[1:]]
    results = json.loads((tmp_path / "run/results.json").read_text())["results"]
    assert numbers[0] == f"{100 * results['embedded_attacked']['mean_shift']['refusal_rate']:.1f}"
    assert results["embedded_attacked"]["none"] == results["embedded_attacked"]["default"]
    assert results["embedded_attacked"]["mean_shift"] != results["embedded_attacked"]["default"]


def test_it_can_be_named_without_being_installed(tmp_path: Path) -> None:
    arm = f"{EXAMPLE / 'mean_shift.py'}:MeanShift[strength=1.0]"
    done = equipoise(dict(os.environ), "run", "--methods", arm, "--dry-run", "--output", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "arm         MeanShift-strength-1.0 (mean_shift): seed 0\n" in done.stdout
