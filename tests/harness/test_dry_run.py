import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.fakes import FakeModel

Run = Callable[..., int]
Plan = Callable[..., dict[str, str]]


@pytest.fixture
def planned(run_fakes: Run, capfd: pytest.CaptureFixture[str]) -> Plan:
    """Lines of a dry run by their first word; of several with one, the last."""

    def plan(*arguments: str) -> dict[str, str]:
        capfd.readouterr()
        assert run_fakes("--dry-run", *arguments) == 0
        lines = (line.split(maxsplit=1) for line in capfd.readouterr().out.splitlines())
        return dict((name, told) for name, told in lines)

    return plan


def test_cells_fits_and_the_longest_replies_are_counted(planned: Plan) -> None:
    plan = planned("--seed", "0,1", "--benchmarks", "bad,facts", "--limit", "2", "--max-new-tokens", "100")
    assert plan["cells"] == "6: 3 fits, each with 2 benchmarks"
    assert plan["fits"] == "3 to make, 0 of 3 already there"
    assert plan["replies"] == "12 to make, 0 of 12 already there"
    assert plan["tokens"].endswith("of prompts (characters / 4, without the chat template), at most 600 of replies")


def test_no_time_is_claimed_without_an_earlier_run_of_the_model(planned: Plan, tmp_path: Path) -> None:
    expected = f"unknown: no run of this model with replies of this length lies in '{tmp_path}'"
    assert planned()["time"] == expected
    assert "fit" not in planned()


def test_an_earlier_run_of_the_same_model_gives_the_pace(planned: Plan, run_fakes: Run, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    assert run_fakes("--output", str(earlier), "--benchmarks", "bad", "--limit", "2") == 0
    header = json.loads((earlier / "run.json").read_text())
    header["provenance"]["hardware"] = {"machine": "abacus", "cores": 10}
    (earlier / "run.json").write_text(json.dumps(header))
    plan = planned("--benchmarks", "bad", "--limit", "4", "--seed", "0,1")
    assert plan["fit"] == "prefix: 10 forward equivalents, 2.0 s a seed"
    # Two fits of 2 s and 12 replies of 0.5 s are 10 s; the fake's default is fitted in no time.
    pace = f"at the pace of '{earlier}' (abacus, 10 cores)"
    assert plan["time"] == f"about 0.2 minutes for fits and replies, one after the other, {pace}"


def test_what_the_earlier_run_says_nothing_of_is_named(planned: Plan, run_fakes: Run, tmp_path: Path) -> None:
    run_fakes("--output", str(tmp_path / "earlier"), "--benchmarks", "bad", "--limit", "2")
    told = planned("--methods", "p=prefix[strength=3]", "--benchmarks", "bad,facts")["time"]
    assert ", without the fit of p, without multiple-choice benchmarks, at the pace of " in told


@pytest.mark.parametrize("flags", [("--max-new-tokens", "7"), ("--model", "other")])
def test_a_run_of_another_model_or_with_other_replies_gives_no_pace(
    flags: tuple[str, str], planned: Plan, run_fakes: Run, tmp_path: Path
) -> None:
    run_fakes("--output", str(tmp_path / "earlier"), "--benchmarks", "bad", "--limit", "2")
    assert planned(*flags)["time"].startswith("unknown: ")


def test_a_stopped_run_is_planned_from_where_it_stopped(planned: Plan, run_fakes: Run, model: FakeModel) -> None:
    flags = ("--benchmarks", "bad", "--limit", "8")
    model.dies_at_call = 2
    assert run_fakes(*flags) == 130
    plan = planned(*flags)
    assert plan["fits"] == "1 to make, 1 of 2 already there"
    assert plan["replies"] == "12 to make, 4 of 16 already there"
    assert plan["time"].startswith("about 0.1 minutes for fits and replies, one after the other, without the fit of ")


def test_the_cluster_is_told(planned: Plan) -> None:
    assert planned("--cluster", "ray")["cluster"] == "ray on this machine: fits side by side, then cells"
    assert planned("--cluster", "ray", "--cluster-address", "auto")["cluster"].startswith("ray at auto: ")


def test_a_model_that_is_not_there_is_refused(
    run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ("--dry-run", "--engine", "transformers", "--model")
    assert run_fakes(*flags, str(tmp_path / "gone")) == 2
    assert capfd.readouterr().err == f"equipoise: There is no model folder '{tmp_path}/gone'.\n"
    (tmp_path / "empty").mkdir()
    assert run_fakes(*flags, str(tmp_path / "empty")) == 2
    assert "has no config.json; it is empty." in capfd.readouterr().err


def test_an_arm_that_refuses_model_or_data_is_refused(run_fakes: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_fakes("--dry-run", "--engine", "transformers", "--model", "embedded", "--methods", "picky") == 2
    assert capfd.readouterr().err == "equipoise: 'picky' does not like 'embedded'.\n"


def test_an_arm_whose_check_breaks_is_planned_to_fail(planned: Plan) -> None:
    faulty = Path(__file__).parent / "faulty_plugins.py"
    told = planned("--engine", "transformers", "--model", "embedded", "--methods", f"{faulty}:ChecksBadly")["arm"]
    assert told.startswith("ChecksBadly will fail: Method 'checks_badly' failed while it was checked: AttributeError")
