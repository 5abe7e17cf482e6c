"""What a comparison marks as best, and what other judges say of its replies, on runs made without a model."""

from pathlib import Path

import pytest

from harness import second_opinions
from harness.comparison import compared
from harness.evidence import read_evidence
from harness.run_folder import RunFolder
from metrics.base import Verdict
from metrics.judge_agreement import kappa
from metrics.registry import judge
from reports.base import Comparison, Mark
from tests.harness.made_runs import MadeArm, asked, make_run

ARMS = [
    MadeArm("default", "default", {"harm": 10, "alpaca": 0}),
    MadeArm("strong", "dinm", {"harm": 58, "alpaca": 30}),
    MadeArm("middle", "scans", {"harm": 40, "alpaca": 1}),
    MadeArm("weak", "cavgan", {"harm": 12}),
]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    root = tmp_path_factory.mktemp("run") / "made"
    make_run(root, ARMS, [asked("harm", 60, attacked=True), asked("alpaca", 60)])
    return compared(read_evidence(RunFolder(root), None, lambda _: None))


def marks(comparison: Comparison, key: str) -> dict[str, Mark]:
    return {arm.name: comparison.marks[arm.name, key] for arm in comparison.arms if (arm.name, key) in comparison.marks}


def test_the_best_is_marked_where_a_test_tells_it_from_every_other_arm(comparison: Comparison) -> None:
    assert marks(comparison, "harm/refusal_rate") == {"strong": Mark.BEST, "middle": Mark.SECOND}


def test_what_no_test_tells_from_the_best_is_tied_and_nothing_is_second(comparison: Comparison) -> None:
    assert marks(comparison, "alpaca/refusal_rate") == {"default": Mark.TIED, "middle": Mark.TIED}


def test_only_numbers_of_the_leaderboard_have_marks(comparison: Comparison) -> None:
    assert {key for _, key in comparison.marks} <= {column.key for column in comparison.headline}


def test_free_judges_but_the_runs_own_read_the_same_replies(comparison: Comparison) -> None:
    (opinion,) = comparison.second_opinions
    other = judge("linear")
    assert opinion.judge == f"{other.name} {other.version}"
    assert sum(opinion.counts.values()) == opinion.kappa.n == opinion.of == 7 * 60
    assert opinion.counts[Verdict.REFUSED, Verdict.REFUSED] == 151
    pairs = [pair for pair, count in opinion.counts.items() for _ in range(count)]
    assert opinion.kappa == kappa(*zip(*pairs, strict=True))


def test_of_many_replies_a_part_is_read_that_is_spread_over_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(second_opinions, "MOST", 40)
    make_run(tmp_path / "made", ARMS, [asked("harm", 60, attacked=True), asked("alpaca", 60)])
    (opinion,) = compared(read_evidence(RunFolder(tmp_path / "made"), None, lambda _: None)).second_opinions
    assert (opinion.kappa.n, opinion.of) == (40, 420)
    assert opinion.share.value == 1.0


def test_a_run_without_replies_has_no_marks_and_no_second_opinion(tmp_path: Path) -> None:
    make_run(tmp_path / "made", [MadeArm("default", "default", {})], [asked("harm", 5)])
    empty = compared(read_evidence(RunFolder(tmp_path / "made"), None, lambda _: None))
    assert empty.marks == {} and empty.second_opinions == ()
