"""Whether a ranking survives another judge or another length, on runs whose outcome is known and on tiny real ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reports.registry
from harness import ledger
from harness.plan import Cell
from harness.run_folder import RunFolder
from harness.studies.agreement import agreement, survives
from harness.studies.base import Finished
from harness.studies.readings import finding
from metrics import su_f1
from metrics.ranking import kendall_tau
from reports.registry import RENDERERS
from tests.harness.studies.synthetic import Refused, finished

Run = Callable[..., int]
FIRST = {"default": Refused(5), "weak": Refused(20), "middle": Refused(40), "strong": Refused(60)}


def told(first: Finished, second: Finished) -> str:
    return finding({"a": first, "b": second}, "judge", lambda one, other: f"with {other} instead of {one}").sentence


def test_an_order_that_stays_survives(tmp_path: Path) -> None:
    first = finished(tmp_path / "a", FIRST)
    second = finished(tmp_path / "b", {**FIRST, "middle": Refused(42)})
    assert told(first, second) == (
        "The ranking of arms by SU-F1 survives 1 of 1 changes of judge, with no significant difference lost and no two "
        "arms swapped beyond noise: with b instead of a Kendall's tau is 1.00 (95 % interval 1.00 to 1.00, 4 arms, 100 "
        "prompts), no pair swaps, 3 of 3 significant differences from the unprotected model stay."
    )


def test_an_order_that_is_turned_round_does_not_survive(tmp_path: Path) -> None:
    first = finished(tmp_path / "a", FIRST)
    second = finished(tmp_path / "b", {**FIRST, "weak": Refused(60), "strong": Refused(5)})
    found = agreement(first, second)
    assert {(swap.ahead, swap.behind, swap.is_tested) for swap in found.swaps} == {
        ("strong", "middle", True),
        ("strong", "weak", True),
        ("middle", "weak", True),
    }
    assert (found.kept, found.lost, found.gained) == (("weak", "middle"), ("strong",), ())
    assert not survives(found)
    sentence = told(first, second)
    assert sentence.startswith("The ranking of arms by SU-F1 survives 0 of 1 changes of judge, ")
    assert "3 of 6 pairs swap (" in sentence
    assert sentence.endswith("2 of 3 significant differences from the unprotected model stay, strong lost.")


def test_a_swap_of_arms_that_no_test_tells_apart_is_noise(tmp_path: Path) -> None:
    first = finished(tmp_path / "a", {**FIRST, "middle": Refused(41), "weak": Refused(40)})
    second = finished(tmp_path / "b", {**FIRST, "middle": Refused(40), "weak": Refused(41)})
    found = agreement(first, second)
    assert [(swap.ahead, swap.behind, swap.is_tested) for swap in found.swaps] == [("middle", "weak", False)]
    assert survives(found)
    assert found.tau == pytest.approx(2 / 3)
    assert found.low <= found.tau < found.high == 1


def test_the_interval_of_tau_is_that_of_joint_resamples(tmp_path: Path) -> None:
    runs = [
        finished(tmp_path / "a", FIRST),
        finished(tmp_path / "b", {**FIRST, "weak": Refused(39), "middle": Refused(38)}),
    ]
    sides = [[run.evidence.table.of_pairing(arm, run.pairing) for arm in FIRST] for run in runs]
    draws = [np.stack([su_f1.resamples(*one).su_f1.ravel() for one in found if one]) for found in sides]
    taus = [float(kendall_tau(draws[0][:, one], draws[1][:, one])) for one in range(draws[0].shape[1])]
    found = agreement(*runs)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(taus, (0.025, 0.975))))


def test_a_failed_arm_is_left_out_of_the_ranking_and_two_are_needed(tmp_path: Path) -> None:
    first = finished(tmp_path / "a", FIRST, failed=["weak"])
    assert agreement(first, finished(tmp_path / "b", FIRST)).arms == ("default", "middle", "strong")
    lonely = finished(tmp_path / "c", {"default": Refused(5)})
    tied = finished(tmp_path / "d", {"default": Refused(5), "weak": Refused(5)})
    for run in (lonely, tied):
        assert told(run, run) == (
            "No finding: with b instead of a there is no ranking to compare: fewer than two arms have an SU-F1 in "
            "both, or all are tied."
        )


def test_a_change_that_leaves_no_ranking_is_not_counted(tmp_path: Path) -> None:
    first = finished(tmp_path / "a", FIRST)
    tied = finished(tmp_path / "b", {name: Refused(5) for name in FIRST})
    sentence = finding({"a": first, "b": tied, "c": first}, "judge", lambda _, other: f"with {other}").sentence
    assert sentence.startswith("The ranking of arms by SU-F1 survives 1 of 1 changes of judge, ")
    assert "with b there is no ranking to compare" in sentence


@pytest.fixture
def study(equipoise: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`equipoise study NAME` with small settings. The page, slow to draw, is empty."""
    page = replace(RENDERERS["html"], render=lambda _: "<!DOCTYPE html>")
    monkeypatch.setitem(vars(reports.registry)["RENDERERS"], "html", page)

    def carry_out(name: str, *arguments: str) -> int:
        return equipoise("study", name, "--seed", "0", "--output", str(tmp_path / name), *arguments)

    return carry_out


FAKES = (
    *("--model", "fake", "--engine", "fake", "--data", "fakes", "--benchmarks", "bad,good"),
    *("--judge", "keyword", "--methods", "prefix", "--batch-size", "4"),
)


@pytest.fixture
def contrary(tmp_path: Path) -> str:
    """A judge that takes the word of the second arm for a refusal, whatever it says."""
    path = tmp_path / "contrary.py"
    path.write_text(
        "from metrics.base import Judgement, Verdict\n"
        "class Contrary:\n"
        "    name, version, known_error = 'contrary', '1', None\n"
        "    def judge(self, exchanges):\n"
        "        said = [r.text.startswith('Seed') or 'sorry' in r.text for _, r in exchanges]\n"
        "        return [Judgement(Verdict.REFUSED if one else Verdict.COMPLIED, 'its word') for one in said]\n"
    )
    return f"{path}:Contrary"


@pytest.mark.usefixtures("model")
def test_other_judges_read_the_same_replies_and_leave_the_runs_own_results(
    study: Run, contrary: str, tmp_path: Path
) -> None:
    assert study("judge-sensitivity", *FAKES, "--set", f"judges=keyword,{contrary}") == 0
    root = tmp_path / "judge-sensitivity"
    assert json.loads((root / "replies/results.json").read_text())["judge"].startswith("keyword ")
    assert (root / "replies/results.contrary.py-Contrary.json").exists()
    rows = {row[0]: row for row in json.loads((root / "finding.json").read_text())["table"]["rows"]}
    assert [rows[arm][4] for arm in ("default", "prefix")] == ["1", "2"]


@pytest.mark.usefixtures("model")
def test_a_finished_run_is_read_by_other_judges_without_a_run_of_the_studys_own(
    study: Run, run_fakes: Run, contrary: str, tmp_path: Path
) -> None:
    assert run_fakes() == 0
    before = (tmp_path / "run/results.json").read_bytes()
    given = ("--set", f"run={tmp_path}/run", "--set", f"judges=keyword,{contrary}")
    assert study("judge-sensitivity", *given) == 0
    assert (tmp_path / "run/results.json").read_bytes() == before
    root = tmp_path / "judge-sensitivity"
    assert {path.name for path in root.iterdir()} == {"finding.json", "finding.md"}
    assert (root / "finding.md").read_text().endswith(f"\n\nReplies read: those of '{tmp_path}/run'.\n")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("judge-sensitivity", "judges=keyword", "judges is 'keyword'; name two or more: --set judges=keyword,grammar."),
        ("judge-sensitivity", "judges=keyword,gramar", "No judge named 'gramar'. Did you mean 'grammar'? Available: "),
        ("length", "lengths=48", "lengths is '48'; name two or more: --set lengths=48,96."),
        ("length", "lengths=48,x", "lengths is 'x'; it must be a whole number from 1."),
    ],
)
def test_a_mistake_gets_one_line(
    name: str, change: str, message: str, study: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert study(name, "--set", change) == 2
    assert capfd.readouterr().err.startswith(f"equipoise: {message}")


def test_of_the_embedded_model_shorter_replies_are_the_beginnings_of_longer_ones(study: Run, tmp_path: Path) -> None:
    flags = ("--methods", "safety_prompt", "--limit", "4", "--set", "lengths=8,40")
    assert study("length", *flags) == 0
    replies = {
        length: ledger.read(
            RunFolder(tmp_path / f"length/tokens-{length}").replies(Cell("default", 0, "embedded_attacked"))
        ).records
        for length in (8, 40)
    }
    assert len(replies[8]) == 4
    for key, short in replies[8].items():
        assert len(short["token_ids"]) == 8
        assert replies[40][key]["token_ids"][:8] == short["token_ids"]
    notes = json.loads((tmp_path / "length/finding.json").read_text())["notes"]
    assert notes[-1].startswith("Replies cut off: 40 tokens: ")
    assert notes[-1].endswith(", 8 tokens: 100 %.")
