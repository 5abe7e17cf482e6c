import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reports.registry
from harness.arms import parse_arms
from harness.studies import registry
from harness.studies.base import Finding, Option, Request, Results, Study
from harness.studies.wording import cell, headers
from reports.registry import RENDERERS
from tests.harness.fakes import FakeModel, Prefix

Run = Callable[..., int]


def runs(request: Request) -> dict[str, Mapping[str, Any]]:
    arms = parse_arms(request.options["arms"].replace(";", ","))
    return {"first": request.run(arms, "bad,good", "bad,good"), "second": request.run((), "bad,good", "bad,good")}


def conclude(request: Request, results: Results) -> Finding:
    del request
    run = results["first"]
    columns = run.main_columns()[:1]
    rows = [[arm.name, *(cell(run, arm.name, column) for column in columns)] for arm in run.comparison.arms]
    return Finding(f"There are {len(results)} runs.", ["arm", *headers(columns)], rows)


@pytest.fixture
def study(equipoise: Run, model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`equipoise study tiny` on the fakes. The page, slow to draw, is empty."""
    del model
    page = replace(RENDERERS["html"], render=lambda _: "<!DOCTYPE html>")
    monkeypatch.setitem(vars(reports.registry)["RENDERERS"], "html", page)
    options = {"arms": Option("What is run.", "default", "prefix")}
    tiny = Study("tiny", "Does it run?", "table 0", runs, conclude, options)
    monkeypatch.setattr(registry, "STUDIES", {"tiny": tiny})
    flags = ["--model", "fake", "--engine", "fake", "--data", "fakes", "--judge", "keyword", "--batch-size", "4"]

    def carry_out(*arguments: str) -> int:
        return equipoise("study", "tiny", *flags, "--seed", "0", "--output", str(tmp_path / "study"), *arguments)

    yield carry_out


def test_a_study_is_ordinary_runs_and_a_finding(study: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert study() == 0
    root = tmp_path / "study"
    assert all((root / name / "report" / "report.md").exists() for name in ("first", "second"))
    facts = json.loads((root / "finding.json").read_text())
    assert facts["sentence"] == "There are 2 runs."
    assert facts["table"]["rows"] == [["default", "100.0 (72.2 to 100.0)"], ["prefix", "100.0 (72.2 to 100.0)"]]
    assert (root / "finding.md").read_text() == (
        "# Study: tiny\n\nDoes it run? (NeuronTune: table 0)\n\n**There are 2 runs.**\n\n"
        "| arm     | bad: Refusals (%) ↑   |\n|:--------|:----------------------|\n"
        "| default | 100.0 (72.2 to 100.0) |\n| prefix  | 100.0 (72.2 to 100.0) |\n\n"
        "Runs: [first](first/report/report.md), [second](second/report/report.md).\n"
    )
    assert capfd.readouterr().out.startswith("Does it run?\n\nThere are 2 runs.\n\narm      bad: Refusals\n")


def test_a_study_that_was_stopped_goes_on_and_finds_the_same(study: Run, tmp_path: Path, model: FakeModel) -> None:
    assert study("--output", str(tmp_path / "whole")) == 0
    model.dies_at_call = len(model.batches) + 6
    assert study() == 130
    assert not (tmp_path / "study" / "finding.json").exists()
    model.dies_at_call = 0
    made = len(model.batches)
    assert study() == 0
    assert len(model.batches) > made
    for name in ("finding.json", "finding.md"):
        assert (tmp_path / "study" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    made, fits = len(model.batches), len(Prefix.fits)
    assert study() == 0
    assert (len(model.batches), len(Prefix.fits)) == (made, fits)


def test_a_failed_arm_is_marked_and_the_exit_code_tells(study: Run, tmp_path: Path) -> None:
    assert study("--set", "arms=broken;prefix") == 1
    text = (tmp_path / "study" / "finding.md").read_text()
    assert "| broken  | failed " in text
    assert "\nFailed: first/broken: ZeroDivisionError: no neuron left\n" in text


def test_a_changed_study_is_refused_and_nothing_is_lost(
    study: Run, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    assert study() == 0
    assert study("--set", "arms=prefix[strength=2]") == 2
    err = capfd.readouterr().err
    assert "/study/first' were made under another protocol:\n" in err
    made = len(model.batches)
    assert study() == 0
    assert len(model.batches) == made


def test_a_dry_run_plans_every_run(study: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert study("--dry-run") == 0
    out = capfd.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("run ")] == ["run         first", "run         second"]
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "default"], "Study 'tiny' chooses its arms itself. Leave --methods out, and see --set."),
        (["--set", "arm=prefix"], "No option of study 'tiny' named 'arm'. Did you mean 'arms'? Available: arms."),
        (["--set", "arms"], "--set arms is no setting. Write --set name=value."),
        (
            ["--benchmarks", "bad"],
            "Study 'tiny' needs a harmful and a benign benchmark that are answered in words; --benchmarks is bad. Name "
            "one of each.",
        ),
        (
            ["--output", "s3://bucket/study"],
            "output is 's3://bucket/study'; a study needs a folder of this machine. Copy it there afterwards.",
        ),
    ],
)
def test_a_mistake_gets_one_line(
    arguments: list[str], message: str, study: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert study(*arguments) == 2
    assert capfd.readouterr().err == f"equipoise: {message}\n"


def test_an_unknown_name_is_told_with_the_options_and_the_settings(
    equipoise: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("study", "sweep", "--set", "count=5", "--output", str(tmp_path / "study")) == 2
    told = capfd.readouterr().err
    opening = "equipoise: No option of study 'sweep' or setting of 'neurontune' named 'count'. Did you mean 'counts'? "
    assert told.startswith(opening) and "safety_neurons" in told


def test_an_unknown_study_gets_the_nearest(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("study", "sweeps") == 2
    assert capfd.readouterr().err.startswith("equipoise: No study named 'sweeps'. Did you mean 'sweep'? Available: ")


def test_an_equal_count_outside_the_grid_is_refused(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("study", "sweep", "--set", "equal=60") == 2
    assert capfd.readouterr().err == "equipoise: equal is 60; it must be one of the counts, 25,50,100,200.\n"


def test_a_setting_that_the_method_lacks_is_refused(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("study", "ablation", "--set", "epoch=2") == 2
    assert "'epoch'" in capfd.readouterr().err


def test_studies_are_listed_with_what_can_be_set(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("list", "studies", "--verbose") == 0
    out = capfd.readouterr().out
    assert "--set counts=...  Counts of either set. [25,50,100,200; on other models 500,1000,1500,2000]" in out


def test_the_effect_of_attacks_on_the_embedded_model(equipoise: Run, tmp_path: Path) -> None:
    flags = ["--limit", "6", "--max-new-tokens", "16", "--benchmarks", "embedded_attacked"]
    assert equipoise("study", "attack-effect", *flags, "--output", str(tmp_path)) == 0
    facts = json.loads((tmp_path / "finding.json").read_text())
    assert facts["facts"]["embedded_attacked"]["all"]["n_pairs"] == 6
    assert facts["sentence"].startswith("On 'embedded_attacked' embedded refuses ")


def test_where_neurons_lie_in_the_embedded_model(equipoise: Run, tmp_path: Path) -> None:
    tiny = ["path_steps=1", "path_refinements=0", "utility_samples=1", "neurons=10"]
    flags = [
        "--limit",
        "2",
        "--max-new-tokens",
        "8",
        "--seed",
        "0",
        *(part for text in tiny for part in ("--set", text)),
    ]
    assert equipoise("study", "distribution", *flags, "--output", str(tmp_path)) == 0
    facts = json.loads((tmp_path / "finding.json").read_text())
    assert sum(float(row[1]) for row in facts["table"]["rows"]) == 10
    assert facts["facts"]["seed-0"]["expected"] == pytest.approx(100 / 3072)
    assert (tmp_path / "layers.svg").read_text().startswith("<svg style=")


def test_under_json_a_study_prints_its_finding_and_its_files(
    study: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert study("--json", "--dry-run") == 0
    plans = json.loads(capfd.readouterr().out)["runs"]
    assert list(plans) == ["first", "second"] and plans["first"]["plan"][0]["subject"] == "model"
    assert study("--json") == 0
    printed = json.loads(capfd.readouterr().out)
    files = printed.pop("files")
    assert printed == json.loads((tmp_path / "study" / "finding.json").read_text())
    assert files == [str(tmp_path / "study" / name) for name in ("finding.md", "finding.json")]
