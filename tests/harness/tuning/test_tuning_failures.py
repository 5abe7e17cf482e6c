import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.tuning.chosen import read_chosen
from tests.harness.fakes import FakeModel
from tests.harness.tuning.dials import counted

Tune = Callable[..., int]


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        ("raise", "ZeroDivisionError: no neuron left"),
        ("nan", "NotFiniteError: The fit of 'dial' gave nan at cost.seconds."),
        ("check", "UserError: 'dial' cannot refuse that much."),
        ("leak", "IntegrityError: 'dial' left 1 hook on the network."),
        ("unsure", "ValueError: the judge was unsure of every reply to prompts of one intent"),
    ],
)
def test_a_failing_trial_is_recorded_with_its_reason_and_the_study_goes_on(
    mishap: str, reason: str, tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tune("dial", "--set", f"wild={mishap}", "--trials", "8") == 0
    rows = counted(folder)
    assert {(row["manner"], row["state"], row["reason"]) for row in rows} == {
        ("calm", "done", ""),
        ("wild", "failed", reason),
    }
    failed = [row for row in rows if row["state"] == "failed"]
    assert read_chosen(folder).facts["failed"] == len(failed)
    assert all(float(row["forward_equivalents"]) >= 40 for row in failed)
    told = capfd.readouterr().err
    assert f"trial {failed[0]['trial']} failed: {reason}" in told
    warning = "warning: 'dial' left 1 hook on the network; the model is loaded again."
    assert told.count(warning) == (len(failed) if mishap == "leak" else 0)
    traceback = (folder / "trials" / f"{int(failed[0]['trial']):04d}" / "failure.txt").read_text()
    assert traceback.startswith(f"{reason}\n\nTraceback")


def test_where_every_trial_fails_nothing_is_chosen(tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert tune("dial[manner=wild,wild=raise]", "--trials", "2") == 1
    expected = "error: every trial failed, the first for this reason: ZeroDivisionError: no neuron left"
    assert capfd.readouterr().err.splitlines()[-1] == expected
    assert not (folder / "chosen.json").exists()
    assert json.loads((folder / "pareto.json").read_text()) == []


def test_out_of_memory_halves_the_batch(tune: Tune, model: FakeModel, capfd: pytest.CaptureFixture[str]) -> None:
    model.largest_batch = 2
    assert tune("--trials", "1") == 0
    assert {len(batch) for batch in model.batches} == {2}
    assert "warning: out of memory; trial 0 goes on with batches of 2." in capfd.readouterr().err


def test_a_changed_protocol_is_refused(
    tune: Tune, folder: Path, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    tune("--trials", "1")
    capfd.readouterr()
    model.weight = 1
    assert tune("dial[words=30]", "--trials", "1", "--objective", "safety", "--seed", "1", "--dev-prompts", "4") == 2
    told = capfd.readouterr().err.splitlines()
    assert told[0] == f"equipoise: The replies in '{folder}' were made under another protocol:"
    assert told[-1] == "Choose another --output, or give the old values to go on with this run."
    assert [line.strip().partition(":")[0] for line in told[1:-1]] == [
        "tuning.objective",
        "tuning.searched.words",
        "model.weights",
        "arms.dial",
        "arms.dial-words-30",
        "benchmarks.dev_harmful.hash",
        "benchmarks.dev_harmful.prompts",
        "benchmarks.dev_benign.hash",
        "benchmarks.dev_benign.prompts",
        "seeds",
    ]
    assert '  tuning.objective: "su_f1" -> "safety"' in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["default"], "'default' has no settings to tune. "),
        (["dil"], "No method named 'dil'. Did you mean 'dial'? "),
        (["dial,prefix"], "'dial,prefix' names 2 methods; tune one at a time, each with the same budget."),
        (["dial@runs/x"], "'dial@runs/x' has tuned settings, which 'tune' is to find. Leave '@runs/x' out."),
        (["dial", "--set", "wrds=1"], "No setting of 'dial' named 'wrds'. Did you mean 'words'? "),
        (["dial", "--set", "words"], "'words' in 'dial' is no setting. Write [setting=value]."),
        (["--objective", "safty"], "No objective named 'safty'. Did you mean 'safety'? Available: safety, su_f1, "),
        (["--trials", "0"], "trials is '0'; it must be a whole number from 1."),
        (["--dev-prompts", "0"], "dev prompts is '0'; it must be a whole number from 1."),
        (["--seed", "1,2"], "seed is '1,2'; it must be a whole number from 0."),
        (["--engine", "fak"], "No engine named 'fak'. Did you mean 'fake'? "),
        (["--judge", "keywords"], "No judge named 'keywords'. Did you mean 'keyword'? "),
        (
            ["--data", "fakes"],
            "Alignment data 'fakes' has no harmful dev prompts. Tuning needs harmful and benign ones.",
        ),
        (
            ["--forward-equivalents", "39"],
            "A budget of 39 forward equivalents is too small: a trial takes 40 or more. Give a larger one.",
        ),
        (
            ["--trials", "3", "--forward-equivalents", "99"],
            "Both --trials and --forward-equivalents are given; a budget is one of them.",
        ),
    ],
)
def test_a_mistake_is_one_line_and_costs_nothing(
    arguments: list[str], message: str, tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tune(*arguments) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"equipoise: {message}")
    assert told.count("\n") == 1
    assert not folder.exists()


def test_a_budget_that_does_not_pay_for_the_defaults_is_refused(tune: Tune, capfd: pytest.CaptureFixture[str]) -> None:
    assert tune("--forward-equivalents", "60") == 2
    expected = "A budget of 60 forward equivalents is too small: a trial takes 65 or more. Give a larger one."
    assert capfd.readouterr().err.splitlines()[-1] == f"equipoise: {expected}"


def test_a_study_stops_before_any_work_at_what_the_doctor_calls_a_problem(
    tune: Tune, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert tune("--engine", "transformers", "--model", str(tmp_path / "empty"), "--device", "cpu") == 2
    assert capfd.readouterr().err == (
        f"equipoise: Model folder '{tmp_path}/empty' has no config.json; it is empty. "
        "Give a folder that save_pretrained has written.\n"
    )
    assert not folder.exists()


def test_a_study_tells_warnings_and_goes_on(
    tune: Tune, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert tune("--trials", "1") == 0
    assert capfd.readouterr().err.splitlines()[0].startswith("warning: disk: at most 0.")


@pytest.mark.parametrize(("content", "reason"), [("{", "cannot be read"), ("[]", "is that of no study")])
def test_a_header_that_is_damaged_is_told(
    content: str, reason: str, tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    (folder / "study.json").write_text(content)
    assert tune() == 2
    assert capfd.readouterr().err == f"equipoise: '{folder}/study.json' {reason}. Choose another --output.\n"


def test_under_json_every_trial_and_what_was_chosen_are_one_document(
    tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tune("--trials", "2", "--json") == 0
    printed = json.loads(capfd.readouterr().out)
    assert [trial["number"] for trial in printed["trials"]] == [0, 1]
    assert printed["chosen"] == json.loads((folder / "chosen.json").read_text())["settings"]
    assert printed["trials"][printed["best"]]["reason"] == ""
