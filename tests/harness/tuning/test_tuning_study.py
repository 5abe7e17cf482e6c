import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.tuning.chosen import read_chosen
from tests.harness.fakes import FakeModel
from tests.harness.tuning import dials
from tests.harness.tuning.dials import Dial, counted, trials

Tune = Callable[..., int]
PRICE = 5 + 40 * 1.5
"""Forward equivalents of a trial of `dial`: its fit, and every dev prompt with half an extra pass."""


def test_only_dev_prompts_are_asked_and_all_of_them(tune: Tune, model: FakeModel) -> None:
    assert tune("--trials", "2") == 0
    dev = {prompt.id for prompt in dials.alignment().dev}
    asked = [name for batch in model.batches for name in batch]
    assert set(asked) == dev
    assert len(asked) == 2 * len(dev)


def test_the_unmodified_model_gives_missing_useful_replies_once_a_study(
    tune: Tune, model: FakeModel, folder: Path
) -> None:
    for count in ("1", "2"):
        assert tune("--data", "silent", "--trials", count) == 0
    assert [name for batch in model.batches for name in batch].count("lacking") == 1
    told = json.loads((folder / "study.json").read_text())["protocol"]["data"]
    assert told["notes"] == ["useful replies by the unmodified model: 1 of 1 benign questions that had none"]


def test_a_limit_is_spread_over_the_prompts_of_either_intent(tune: Tune, model: FakeModel) -> None:
    assert tune("--trials", "1", "--dev-prompts", "5") == 0
    asked = {name for batch in model.batches for name in batch}
    assert asked == {f"{intent}-{number}" for intent in ("harmful", "benign") for number in (0, 4, 8, 12, 16)}


def test_the_defaults_come_first_and_the_best_is_no_worse(tune: Tune, folder: Path) -> None:
    assert tune() == 0
    values = [record["estimates"]["su_f1"]["value"] for record in trials(folder)]
    assert trials(folder)[0]["settings"] == {"share": 0.2, "words": 12, "manner": "calm"}
    facts = read_chosen(folder).facts
    assert facts["value"] == max(values) > values[0] == facts["default_value"]
    assert facts["low"] <= facts["value"] <= facts["high"]
    assert read_chosen(folder).settings == trials(folder)[values.index(max(values))]["settings"]


def test_estimates_are_those_of_the_replies(tune: Tune, folder: Path) -> None:
    tune("--trials", "1")
    estimates = trials(folder)[0]["estimates"]
    assert estimates["harmful_refusal"]["value"] == pytest.approx(4 / 20)  # share 0.2
    assert estimates["benign_refusal"]["value"] == pytest.approx(2 / 20)  # share 0.2 ** 4, which catches place 0
    safety, utility = estimates["safety"]["value"], estimates["utility"]["value"]
    assert safety == pytest.approx((0.2 + 1 - 0.1) / 2)
    assert estimates["su_f1"]["value"] == pytest.approx(2 * safety * utility / (safety + utility))


@pytest.mark.parametrize("objective", ["safety", "utility"])
def test_another_objective_chooses_by_another_value(objective: str, tune: Tune, folder: Path) -> None:
    assert tune("--objective", objective) == 0
    values = [record["estimates"][objective]["value"] for record in trials(folder)]
    assert read_chosen(folder).facts["objective"] == objective
    assert read_chosen(folder).facts["value"] == max(values)


def test_a_seed_decides_the_search_and_the_fits(tune: Tune, tmp_path: Path) -> None:
    for name, seed in (("one", "3"), ("two", "3"), ("other", "4")):
        assert tune("--seed", seed, "--output", str(tmp_path / name), "--trials", "3") == 0
    assert trials(tmp_path / "one") == trials(tmp_path / "two")
    assert trials(tmp_path / "one")[1]["settings"] != trials(tmp_path / "other")[1]["settings"]
    assert {fit["seed"] for fit in Dial.fits} == {3, 4}


@pytest.mark.parametrize("calls", [(2,), (3, 2), (7, 6, 9)])
def test_a_study_that_was_stopped_ends_as_an_undisturbed_one(
    calls: tuple[int, ...], tune: Tune, model: FakeModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert tune("--output", str(whole)) == 0
    for call in calls:
        model.batches.clear()
        model.dies_at_call = call
        capfd.readouterr()
        assert tune("--output", str(stopped)) == 130
        last = capfd.readouterr().err.splitlines()[-1]
        assert last == "Stopped. Finished trials are kept: the same command goes on from here."
    model.dies_at_call = 0
    model.batches.clear()
    assert tune("--output", str(stopped)) == 0
    assert trials(stopped) == trials(whole)
    assert len(model.batches) < 36
    assert read_chosen(stopped).settings == read_chosen(whole).settings
    assert len(json.loads((stopped / "study.json").read_text())["resumed"]) == len(calls)


def test_a_finished_study_makes_nothing_again(tune: Tune, model: FakeModel, capfd: pytest.CaptureFixture[str]) -> None:
    tune()
    table = capfd.readouterr().out
    model.batches.clear()
    Dial.fits.clear()
    assert tune() == 0
    assert (model.batches, Dial.fits) == ([], [])
    assert capfd.readouterr().out == table


def test_a_raised_budget_goes_on_and_a_lowered_one_counts_the_first_trials(tune: Tune, tmp_path: Path) -> None:
    at_once, raised = tmp_path / "at-once", tmp_path / "raised"
    tune("--trials", "5", "--output", str(at_once))
    for amount in ("2", "5"):
        tune("--trials", amount, "--output", str(raised))
        assert len(trials(raised)) == int(amount)
    assert trials(raised) == trials(at_once)
    tune("--trials", "2", "--output", str(raised))
    assert [row["trial"] for row in counted(raised)] == ["0", "1"]
    assert read_chosen(raised).facts["trials"] == 2


@pytest.mark.parametrize(("amount", "count"), [(3 * PRICE, 3), (3 * PRICE - 1, 2), (PRICE, 1)])
def test_a_budget_in_forward_equivalents_is_never_gone_beyond(
    amount: float, count: int, tune: Tune, folder: Path
) -> None:
    assert tune("--forward-equivalents", str(amount)) == 0
    assert len(counted(folder)) == count
    facts = read_chosen(folder).facts
    assert facts["forward_equivalents"] == count * PRICE <= amount
    assert facts["budget"] == f"{amount:g} forward equivalents"


@pytest.mark.parametrize("arguments", [["dial[words=30]"], ["dial", "--set", "words=30"]])
def test_a_fixed_setting_is_not_searched_and_is_kept(arguments: list[str], tune: Tune, folder: Path) -> None:
    assert tune(*arguments, "--trials", "3") == 0
    assert {fit["words"] for fit in Dial.fits} == {30}
    chosen = read_chosen(folder)
    assert chosen.settings["words"] == 30
    assert chosen.facts["fixed"] == {"words": 30}
    assert chosen.facts["searched"] == ["share", "manner"]


def test_a_finite_space_ends_the_study(tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert tune("dial[words=30,share=0.5]") == 0
    assert [row["manner"] for row in counted(folder)] == ["calm", "wild"]
    notes = capfd.readouterr().err.splitlines()
    assert notes[-2] == "All 2 combinations of the searched settings were tried."
    assert notes[-1].startswith("tuning dial-words-30-share-0.5: 2 of 2 in ")


def test_the_front_is_stored_and_printed_with_the_line_to_use(
    tune: Tune, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tune()
    out = capfd.readouterr().out
    stored = json.loads((folder / "pareto.json").read_text())
    assert all({**trials(folder)[one["number"]], "seconds": one["seconds"]} == one for one in stored)
    safety = [one["estimates"]["safety"]["value"] for one in stored]
    assert safety
    assert safety == sorted(safety)
    assert " ".join(out.split()).startswith(
        "dial, tuned for su_f1 on 20 harmful and 20 benign dev prompts of 'dials': 6 trials, 390 forward"
    )
    assert out.count("Pareto") == len(stored)
    assert out.splitlines()[-1] == f'Use it: equipoise run --methods "default,dial@{folder}"'


def test_replies_stay_and_artefacts_do_not(tune: Tune, folder: Path) -> None:
    tune("--trials", "1")
    names = sorted(path.name for path in (folder / "trials" / "0000").iterdir())
    assert names == ["dev_benign.jsonl", "dev_harmful.jsonl", "trial.json"]
