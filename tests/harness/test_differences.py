import numpy as np
import pytest

from benchmarks.base import Benchmark, Intent, Reply
from harness.answers import Answers
from harness.columns import Pairing, make_columns
from harness.differences import differences
from harness.plan import Cell
from harness.scores import ScoreTable
from metrics.base import Exchange, Judgement, Verdict
from metrics.mcnemar import mcnemar, mid_p
from metrics.paired import safety_utility
from metrics.su_f1 import Bounds
from tests.harness.fakes import benchmark

PAIRING = Pairing("bad", "good")
BENCHMARKS = (benchmark("bad", Intent.HARMFUL, 12), benchmark("good", Intent.BENIGN, 10))


def exchanges(asked: Benchmark, refused: int, unsure: int = 0) -> tuple[Exchange, ...]:
    """The last `refused` prompts are refused, and of the first the judge is unsure."""
    verdicts = [Verdict.COMPLIED] * (len(asked.prompts) - refused) + [Verdict.REFUSED] * refused
    verdicts[:unsure] = [Verdict.UNSURE] * unsure
    return tuple(
        Exchange(prompt, Reply(prompt.id, f"{verdict} this is reply {number} of many"), Judgement(verdict, "rule"))
        for number, (prompt, verdict) in enumerate(zip(asked.prompts, verdicts, strict=True))
    )


def table(cells: dict[tuple[str, int, str], tuple[Exchange, ...]]) -> ScoreTable:
    return ScoreTable(Answers(BENCHMARKS, {Cell(*cell): found for cell, found in cells.items()}))


@pytest.fixture
def scores() -> ScoreTable:
    """`default` of one seed; `strong` refuses more with either; `weak` as much as `default`; `lost` did not end."""
    bad, good = BENCHMARKS
    return table(
        {
            ("default", 0, "bad"): exchanges(bad, 2, unsure=1),
            ("default", 0, "good"): exchanges(good, 0),
            ("strong", 0, "bad"): exchanges(bad, 11),
            ("strong", 1, "bad"): exchanges(bad, 11),
            ("strong", 0, "good"): exchanges(good, 1),
            ("strong", 1, "good"): exchanges(good, 0),
            ("weak", 0, "bad"): exchanges(bad, 3),
            ("weak", 0, "good"): exchanges(good, 0),
            ("lost", 0, "good"): exchanges(good, 0),
        }
    )


def found(scores: ScoreTable, *arms: str) -> dict[tuple[str, str], object]:
    columns = make_columns(BENCHMARKS, (PAIRING,))
    return dict(differences(scores, ["default", *arms], columns, (PAIRING,), Bounds()))


def test_a_seeded_arm_is_compared_with_the_one_row_of_default(scores: ScoreTable) -> None:
    named = differences(scores, ["default", "strong"], make_columns(BENCHMARKS, (PAIRING,)), (PAIRING,), Bounds())
    attacked, benign = named["strong", "bad/refusal_rate"], named["strong", "good/refusal_rate"]
    assert (attacked.test, attacked.discordant, attacked.n_pairs, attacked.unpaired) == ("mid-p McNemar", 9, 11, 1)
    assert attacked.value == pytest.approx(9 / 11)
    assert (attacked.p_value, attacked.p_exact) == (mid_p(9, 0), mcnemar(9, 0))
    assert (benign.test, benign.value, benign.n_pairs) == ("paired bootstrap, seeds as clusters", 0.05, 10)


def test_p_values_are_adjusted_within_a_column_and_not_beyond(scores: ScoreTable) -> None:
    columns = make_columns(BENCHMARKS, (PAIRING,))
    alone, both = (
        differences(scores, ["default", *arms], columns, (PAIRING,), Bounds())
        for arms in (["strong"], ["strong", "weak"])
    )
    key = ("strong", "bad/refusal_rate")
    assert alone[key].p_adjusted == alone[key].p_value
    assert both[key].p_adjusted == pytest.approx(2 * both[key].p_value)
    assert both["weak", "bad/refusal_rate"].p_adjusted == mid_p(1, 0) == 0.5


def test_su_f1_is_compared_by_joint_resamples(scores: ScoreTable) -> None:
    named = differences(scores, ["default", "strong"], (), (PAIRING,), Bounds(high=6))
    ours, theirs = scores.of_pairing("strong", PAIRING), scores.of_pairing("default", PAIRING)
    assert ours is not None and theirs is not None
    assert named == {
        ("strong", f"bad+good/{name}"): difference
        for name, difference in safety_utility(ours, theirs, Bounds(high=6)).items()
    }
    assert len(named) == 3


def test_an_arm_is_not_compared_on_what_it_has_not_finished(scores: ScoreTable) -> None:
    keys = {key for _, key in found(scores, "lost")}
    assert "good/refusal_rate" in keys
    assert not {key for key in keys if key.startswith("bad")}


def test_without_default_nothing_is_compared() -> None:
    good = BENCHMARKS[1]
    assert found(table({("strong", 0, "good"): exchanges(good, 1)}), "strong") == {}


def test_scores_have_a_row_for_every_seed_and_are_taken_once(scores: ScoreTable) -> None:
    refused = scores.of_benchmark("strong", "good", "refusal_rate")
    assert refused is not None
    assert np.array_equal(refused, [[0.0] * 9 + [1.0], [0.0] * 10])
    assert scores.of_benchmark("lost", "bad", "refusal_rate") is None
    assert scores.of_pairing("lost", PAIRING) is None
    first, second = (scores._row(Cell("weak", 0, "bad"), "entropy") for _ in range(2))
    assert first is second


def test_arms_with_other_seeds_finished_are_held_against_each_other_with_those_that_both_have() -> None:
    bad, good = BENCHMARKS
    refused = {("slow", 0): 3, ("slow", 2): 4, ("quick", 0): 9, ("quick", 1): 2, ("quick", 2): 10}
    cells = {(arm, seed, "bad"): exchanges(bad, count) for (arm, seed), count in refused.items()}
    cells |= {(arm, seed, "good"): exchanges(good, 0) for arm, seed in refused}
    under_way = differences(table(cells), ["slow", "quick"], make_columns(BENCHMARKS, (PAIRING,)), (PAIRING,), Bounds())
    assert under_way["quick", "bad/refusal_rate"].value == pytest.approx((9 + 10 - 3 - 4) / 24)
    assert ("quick", "bad+good/su_f1") in under_way
    apart = {(arm, seed + 5 * (arm == "quick"), name): found for (arm, seed, name), found in cells.items()}
    in_order = differences(table(apart), ["slow", "quick"], make_columns(BENCHMARKS, (PAIRING,)), (PAIRING,), Bounds())
    assert in_order["quick", "bad/refusal_rate"].value == pytest.approx((9 + 2 - 3 - 4) / 24)
