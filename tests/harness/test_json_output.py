import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fakes import FakeModel
from tests.harness.made_runs import MadeArm, asked, make_run

Equipoise = Callable[..., int]
PAIR = ("--harmful", "advbench", "--benign", "alpaca")
SETS = [asked("advbench", 8), asked("alpaca", 6)]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[[], Any]:
    """The one document on stdout."""

    def read() -> Any:  # noqa: ANN401 - the JSON edge
        text = capfd.readouterr().out
        assert text.endswith("}\n") and text.isascii()
        return json.loads(text)

    return read


@pytest.fixture
def made(tmp_path: Path) -> Path:
    arms = [
        MadeArm("default", "default", {"advbench": 2, "alpaca": 0}),
        MadeArm("dinm", "dinm", {"advbench": 6, "alpaca": 1}),
    ]
    return make_run(tmp_path / "run", arms, SETS)


def test_run_and_report_print_their_results_and_where_the_files_are(
    run_fakes: Equipoise, equipoise: Equipoise, tmp_path: Path, told: Callable[[], Any]
) -> None:
    assert run_fakes("--json") == 0
    document, root = told(), tmp_path / "run"
    assert list(document["files"]) == ["results", "costs", "markdown", "html"]
    assert all(Path(path).is_relative_to(root) and Path(path).exists() for path in document["files"].values())
    results = json.loads((root / "results.json").read_text())
    assert {name: value for name, value in document.items() if name != "files"} == results
    assert equipoise("report", str(root), "--judge", "gcg", "--json") == 0
    again = told()
    assert again["judge"].startswith("gcg ") and again["files"]["results"] == str(root / "results.gcg.json")


def test_a_failed_arm_gives_the_document_and_exit_code_one(run_fakes: Equipoise, told: Callable[[], Any]) -> None:
    assert run_fakes("--json", "--methods", "prefix,broken") == 1
    arms = {arm["name"]: arm["failure"] for arm in told()["arms"]}
    assert arms["prefix"] is None and arms["broken"]


def test_a_mistake_stays_one_line_on_stderr(run_fakes: Equipoise, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_fakes("--json", "--methods", "prefx") == 2
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err.startswith("equipoise: No method named 'prefx'.")
    assert captured.err.count("\n") == 1


def test_a_dry_run_is_a_document_of_lines(run_fakes: Equipoise, told: Callable[[], Any]) -> None:
    assert run_fakes("--json", "--dry-run") == 0
    lines = told()["plan"]
    assert lines[0] == {"subject": "model", "text": "fake on engine fake"}
    assert lines[-1]["subject"] == "output"


def test_doctor_counts_what_stops_a_run(equipoise: Equipoise, model: FakeModel, told: Callable[[], Any]) -> None:
    del model
    standard = ["--model", "fake", "--engine", "fake", "--methods", "prefix", "--benchmarks", "bad", "--data", "fakes"]
    code = equipoise("doctor", *standard, "--judge", "keyword", "--json")
    document = told()
    assert code == (2 if document["problems"] else 0)
    assert {"subject", "level", "text"} == set(document["findings"][0])
    assert equipoise("doctor", *standard, "--judge", "keywrod", "--json") == 2


@pytest.mark.parametrize("kind", ["methods", "metrics", "benchmarks", "judges", "engines", "models", "studies"])
def test_every_list_is_a_document(kind: str, equipoise: Equipoise, told: Callable[[], Any]) -> None:
    assert equipoise("list", kind, "--json") == 0
    document = told()
    assert document["kind"] == kind and document["problems"] == []
    assert document["entries"]
    assert [one for one in document["entries"] if not one["summary"] or "\n" in one["summary"]] == []


def test_methods_have_their_cards(equipoise: Equipoise, told: Callable[[], Any]) -> None:
    assert equipoise("list", "methods", "--verbose", "--json") == 0
    cards = {one["name"]: one["card"] for one in told()["entries"]}
    assert cards["dinm"]["fidelity"] == "adapted" and cards["dinm"]["settings"][0]["source"]


def test_audit_lists_its_checks_with_the_same_exit_code(equipoise: Equipoise, told: Callable[[], Any]) -> None:
    assert equipoise("audit", "--json") == 1
    document = told()
    assert document["findings"] == sum(len(check["findings"]) for check in document["checks"]) > 0
    assert equipoise("audit", "--json", "--exit-zero") == 0


def test_a_paper_table_comes_in_unscaled_numbers(
    made: Path, equipoise: Equipoise, told: Callable[[], Any], tmp_path: Path
) -> None:
    assert equipoise("paper", "table6", str(made), *PAIR, "--json") == 0
    document = told()
    assert document["name"] == "table6" and document["files"] == []
    first = next(cell for cell in document["rows"][0]["cells"] if cell["column"] == "harmful_refusal_percent")
    assert first["value"] == pytest.approx(0.25) and first["n"] == 8
    assert equipoise("paper", "table6", str(made), *PAIR, "--json", "--output", str(tmp_path / "out")) == 0
    assert {Path(path).suffix for path in told()["files"]} == {".md", ".html", ".tex", ".csv"}


def test_a_judge_comparison_is_as_it_was(made: Path, equipoise: Equipoise, told: Callable[[], Any]) -> None:
    assert equipoise("judge", str(made), "--judges", "keyword,gcg", "--json") == 0
    assert set(told()["judges"]) == {"keyword", "gcg"}
