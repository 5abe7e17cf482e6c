import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import ledger
from harness.scaffold.new_method import write_method
from methods.contract import faults
from methods.registry import METHODS, method_type

ROOT = Path(__file__).parents[2]
Run = Callable[..., int]


def test_what_is_written_is_a_method_and_its_test(
    equipoise: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("new-method", "kind_words", "--output", str(tmp_path / "mine")) == 0
    path = tmp_path / "mine/kind_words.py"
    assert capfd.readouterr().out == (
        f"{path}  the method, which works as it is: replace what it does\n"
        f"{tmp_path}/mine/test_kind_words.py  its test: the conformance kit, and what you add\n\n"
        f"Run it:    equipoise run --methods default,{path}:KindWords --limit 20\n"
        f"Check it:  equipoise check {path}:KindWords\n"
        f"Test it:   python -m pytest {tmp_path}/mine/test_kind_words.py\n"
    )
    assert method_type(f"{path}:KindWords").name == "kind_words"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["kind_words.py", "test_kind_words.py"]


@pytest.mark.parametrize("name", ["kind_words", "k2", "one"])
def test_both_files_keep_the_rules_of_this_repository(name: str, tmp_path: Path) -> None:
    written = write_method(name, tmp_path)
    assert faults(method_type(written.argument)) == []
    flags = ["--no-cache", "--config", str(ROOT / "pyproject.toml"), str(written.method), str(written.test)]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, *flags], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    for path in (written.method, written.test):
        assert "toy" not in path.read_text().lower()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-method", "'my-method' cannot name a method. Use small letters, digits and single '_', as in 'my_method'."),
        ("MyMethod", "'MyMethod' cannot name a method. Use small letters, digits and single '_', as in 'my_method'."),
        ("a__b", "'a__b' cannot name a method. Use small letters, digits and single '_', as in 'my_method'."),
        ("2x", "'2x' cannot name a method. Use small letters, digits and single '_', as in 'my_method'."),
        ("class", "'class' cannot name a method. Use small letters, digits and single '_', as in 'my_method'."),
        ("../x", "'../x' cannot name a method. Use small letters, digits and single '_', as in 'my_method'."),
        ("scans", "'scans' is a built-in method. Choose another name."),
        ("prompt", "'Prompt' means something else inside of the new files. Choose another name."),
        ("reminded", "'Reminded' means something else inside of the new files. Choose another name."),
    ],
)
def test_a_name_that_will_not_do_is_told_and_nothing_is_written(
    name: str, message: str, equipoise: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("new-method", name, "--output", str(tmp_path / "mine")) == 2
    assert capfd.readouterr().err == f"equipoise: {message}\n"
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(there: str, equipoise: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / there).write_text("precious")
    assert equipoise("new-method", "mine", "--output", str(tmp_path)) == 2
    expected = (
        f"equipoise: '{tmp_path}/{there}' is there already and is left as it is. Choose another name or --output.\n"
    )
    assert capfd.readouterr().err == expected
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [(there, "precious")]


def test_the_method_runs_beside_the_others_and_strength_zero_is_the_default(run_fakes: Run, tmp_path: Path) -> None:
    method = write_method("kind_words", tmp_path).argument
    arms = f"{method},zero={method}[reminder=''],one={method}[reminder=please]"
    assert run_fakes("--methods", arms, "--benchmarks", "good") == 0
    said = {
        arm: [
            record["text"] for record in ledger.read(tmp_path / f"run/replies/{arm}/seed-0/good.jsonl").records.values()
        ]
        for arm in ("default", "KindWords", "zero", "one")
    }
    assert said["zero"] == said["default"]
    costs = json.loads((tmp_path / "run/costs.json").read_text())["arms"]
    assert costs["one"]["extra_tokens_per_reply"] == len(" please")


def test_its_own_test_runs_the_conformance_kit(tmp_path: Path) -> None:
    written = write_method("kind_words", tmp_path)
    chosen = "contract or strength_zero or round_trip or reminder"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(written.test), "-k", chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].startswith("4 passed"), done.stdout


def test_the_toy_is_no_built_in_method() -> None:
    assert "toy_method" not in METHODS
