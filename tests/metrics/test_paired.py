import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metrics.base import Difference
from metrics.bootstrap import draws
from metrics.estimation import mean
from metrics.mcnemar import mcnemar, mid_p, tango
from metrics.paired import (
    COMPARERS,
    Comparer,
    Sides,
    geometric_means,
    holm,
    mean_shares,
    means,
    medians,
    rates,
    safety_utility,
)
from metrics.registry import METRICS
from metrics.su_f1 import Bounds, Scores, estimate, resamples

NAN = math.nan
SMALLEST = 2 / 2001
BOOTSTRAPPED = pytest.mark.parametrize("compare", [means, geometric_means, medians], ids=lambda f: f.__name__)
ALL = pytest.mark.parametrize("compare", [rates, means, geometric_means, medians], ids=lambda f: f.__name__)
FEW = settings(max_examples=25, deadline=None)
BITS = st.sampled_from([0.0, 1.0, NAN])


@st.composite
def bits(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores of an arm and of a baseline, one row or three."""
    prompts = draw(st.integers(1, 10))
    arm, baseline = (draw(arrays(float, (draw(st.sampled_from([1, 3])), prompts), elements=BITS)) for _ in range(2))
    return arm, baseline


def positive(seeds: int, prompts: int = 40, chance: int = 0) -> np.ndarray:
    return np.random.default_rng(chance).uniform(1, 7, (seeds, prompts))


def found(difference: Difference | None) -> Difference:
    assert difference is not None
    return difference


def test_shares_of_agreeing_seeds_are_tested_by_mcnemar() -> None:
    arm = np.array([[1.0, 1, 1, 1, 0, 0, 1]])
    baseline = np.array([[0.0, 0, 0, 1, 0, 1, 0]])
    assert rates(np.tile(arm, (3, 1)), baseline) == rates(arm, baseline)
    result = found(rates(arm, baseline))
    assert result.value == pytest.approx(3 / 7)
    assert (result.low, result.high) == tango(4, 1, 7)
    assert result.p_value == result.p_adjusted == mid_p(4, 1) == 0.21875
    assert result.p_exact == mcnemar(4, 1) == 0.375
    assert (result.n_pairs, result.discordant, result.unpaired, result.test) == (7, 5, 0, "mid-p McNemar")


def test_shares_of_seeds_that_disagree_meet_the_bootstrap() -> None:
    arm = np.array([[1.0, 1, 0, 0], [1, 0, 0, 0]])
    baseline = np.array([[0.0, 0, 0, 0]])
    result = found(rates(arm, baseline))
    assert (result.value, result.test, result.discordant) == (0.375, "paired bootstrap, seeds as clusters", None)
    assert replace(result, effect=None) == replace(found(mean_shares(arm, baseline)), effect=None)


@FEW
@given(bits())
def test_only_prompts_with_a_score_on_both_sides_count(scores: tuple[np.ndarray, np.ndarray]) -> None:
    arm, baseline = scores
    rows = max(len(arm), len(baseline))
    both = [np.repeat(one, rows // len(one), axis=0) for one in scores]
    is_pair = ~np.isnan(both[0]) & ~np.isnan(both[1])
    result = rates(arm, baseline)
    if not is_pair.any():
        assert result is None
        return
    gaps = [
        np.mean([both[0][seed, prompt] - both[1][seed, prompt] for seed in range(rows) if is_pair[seed, prompt]])
        for prompt in range(arm.shape[1])
        if is_pair[:, prompt].any()
    ]
    assert result is not None and result.value == pytest.approx(np.mean(gaps))
    assert (result.n_pairs, result.unpaired) == (len(gaps), arm.shape[1] - len(gaps))


@ALL
@FEW
@given(scores=bits(), order=st.randoms(use_true_random=False))
def test_the_order_of_the_prompts_changes_nothing(
    compare: Comparer, scores: tuple[np.ndarray, np.ndarray], order: object
) -> None:
    arm, baseline = scores if compare is rates else (scores[0] + 1, scores[1] + 1)
    columns = list(range(arm.shape[1]))
    order.shuffle(columns)  # type: ignore[attr-defined]
    assert compare(arm[:, columns], baseline[:, columns]) == compare(arm, baseline)


@ALL
@FEW
@given(scores=bits())
def test_an_interval_holds_its_difference_and_a_p_value_is_a_share(
    compare: Comparer, scores: tuple[np.ndarray, np.ndarray]
) -> None:
    arm, baseline = scores if compare is rates else (scores[0] + 1, scores[1] + 1)
    result = compare(arm, baseline)
    assert result is None or (result.low <= result.value <= result.high and 0 < result.p_value <= 1)


@ALL
def test_arms_that_score_alike_on_every_prompt_do_not_differ(compare: Comparer) -> None:
    scores = np.random.default_rng(0).integers(0, 2, (3, 30)).astype(float) + (compare is not rates)
    result = found(compare(scores, scores))
    assert (result.value, result.p_value) == (0, 1)
    assert result.low <= 0 <= result.high


def test_shares_that_are_equal_on_every_prompt_may_still_differ_a_little() -> None:
    result = found(rates(np.ones((1, 50)), np.ones((1, 50))))
    assert (result.value, result.p_value, result.discordant) == (0, 1, 0)
    assert result.high == -result.low == pytest.approx(0.0713, abs=1e-4)


@ALL
def test_the_other_way_round_the_sign_turns(compare: Comparer) -> None:
    if compare is rates:
        arm, baseline = (np.random.default_rng(seed).integers(0, 2, (1, 60)).astype(float) for seed in (1, 2))
    else:
        arm, baseline = positive(1, 60, 1), positive(1, 60, 2)
    there, back = found(compare(arm, baseline)), found(compare(baseline, arm))
    assert back.value == pytest.approx(-there.value)
    assert back.p_value == pytest.approx(there.p_value, abs=0.1)
    assert (-back.high, -back.low) == pytest.approx((there.low, there.high), abs=0.15)


def test_a_row_without_chance_stands_beside_every_seed() -> None:
    arm, baseline = positive(3, chance=1), positive(1, chance=2)
    assert means(arm, baseline) == means(arm, np.tile(baseline, (3, 1)))


def test_values_are_differences_of_what_their_names_say() -> None:
    arm, baseline = np.array([[1.0, 4.0, 16.0]]), np.array([[2.0, 2.0, 2.0]])
    assert found(means(arm, baseline)).value == 5
    assert found(geometric_means(arm, baseline)).value == pytest.approx(2)
    assert found(medians(arm, baseline)).value == 2


@BOOTSTRAPPED
def test_interval_and_p_value_are_those_of_the_literal_bootstrap(compare: Comparer) -> None:
    arm, baseline = positive(1, 15, 1), positive(1, 15, 2)
    order = np.lexsort(np.concatenate((arm, baseline)))
    summary: Callable[[np.ndarray], float] = {
        means: np.mean,
        geometric_means: lambda values: math.exp(np.mean(np.log(values))),
        medians: np.median,
    }[compare]
    drawn = [np.repeat(order, counts) for counts in draws(15)[1:]]
    gaps = [summary(arm[0, places]) - summary(baseline[0, places]) for places in drawn]
    result = found(compare(arm, baseline))
    assert (result.low, result.high) == pytest.approx(tuple(np.quantile(gaps, (0.025, 0.975))))
    sides_of_zero = [1 + sum(gap <= 1e-12 for gap in gaps), 1 + sum(gap >= -1e-12 for gap in gaps)]
    assert result.p_value == pytest.approx(min(1, 2 * min(sides_of_zero) / 2001))
    assert 0.05 < result.p_value < 1


@BOOTSTRAPPED
@FEW
@given(st.integers(0, 10_000), st.floats(-2, 2))
def test_with_seeds_a_difference_is_significant_alone_where_its_interval_excludes_zero(
    compare: Comparer, chance: int, shift: float
) -> None:
    arm = positive(3, 20, chance) + shift + 3
    result = found(compare(arm, positive(1, 20, chance + 1) + 3))
    assert result.test == "paired bootstrap, seeds as clusters"
    assert (result.p_value < 0.05) == (not result.low <= 0 <= result.high)


def test_one_lucky_seed_of_three_is_no_difference() -> None:
    baseline = positive(1, 400)
    result = found(means(baseline + np.array([[0.1], [0.2], [3.0]]), baseline))
    assert result.low < 0 < result.value and result.p_value > 0.2


@BOOTSTRAPPED
def test_a_single_pair_is_not_compared(compare: Comparer) -> None:
    assert compare(np.array([[1.0]]), np.array([[2.0]])) is None


@pytest.mark.parametrize("compare", [means, medians], ids=lambda f: f.__name__)
def test_infinite_scores_are_not_compared(compare: Comparer) -> None:
    assert compare(np.array([[1.0, math.inf, 2.0]]), np.array([[2.0, 1.0, 3.0]])) is None


def test_shares_have_cohens_h_and_means_hedges_g() -> None:
    arm, baseline = np.array([[1.0, 1, 1, 0]]), np.array([[0.0, 0, 1, 0]])
    h = 2 * math.asin(math.sqrt(0.75)) - 2 * math.asin(math.sqrt(0.25))
    assert found(rates(arm, baseline)).effect == ("Cohen's h", pytest.approx(h))
    noisy = found(rates(np.concatenate((arm, 1 - arm)), baseline))
    assert noisy.effect == ("Cohen's h", pytest.approx(math.pi / 2 - math.pi / 3))
    ours, theirs = positive(1, 10, 1), positive(1, 10, 2)
    deviation = math.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 2)
    g = (ours.mean() - theirs.mean()) / deviation * (1 - 3 / 35)
    assert found(means(ours, theirs)).effect == ("Hedges' g", pytest.approx(g))
    assert found(means(np.full((1, 5), 2.0), np.ones((1, 5)))).effect is None
    assert found(medians(ours, theirs)).effect is None


@BOOTSTRAPPED
def test_no_p_value_falls_below_the_resolution_of_the_bootstrap(compare: Comparer) -> None:
    scores = positive(1)
    assert found(compare(scores + 5, scores)).p_value == pytest.approx(SMALLEST)


def test_logarithms_of_perplexities_give_the_same_p_value() -> None:
    arm, baseline = positive(1, 30, 1), positive(1, 30, 2)
    order = np.lexsort(np.concatenate((arm, baseline)))
    plain, logged = geometric_means(arm[:, order], baseline[:, order]), means(np.log(arm), np.log(baseline))
    assert found(plain).p_value == found(logged).p_value


def test_a_small_gain_on_very_different_prompts_is_seen_because_it_is_paired() -> None:
    baseline = positive(1, 60)
    arm = baseline + np.random.default_rng(1).normal(0.1, 0.05, baseline.shape)
    apart = [mean(one) for one in (arm, baseline)]
    assert (apart[0].low or 0) < (apart[1].high or 0)
    assert found(means(arm, baseline)).p_value == pytest.approx(SMALLEST)


def test_chance_alone_is_called_a_difference_about_five_times_in_a_hundred() -> None:
    chance = np.random.default_rng(4)
    calls = [
        found(means(*chance.normal(size=(2, 1, 60)))).is_significant  # of one family each: p is p adjusted
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(calls) <= 0.1


@pytest.mark.parametrize("shapes", [((2, 5), (3, 5)), ((1, 5), (1, 4)), ((1, 5), (1, 1))])
def test_scores_that_do_not_fit_are_refused(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    arm, baseline = map(np.ones, shapes)
    with pytest.raises(ValueError, match=r"scores of shape \(\d, 5\) cannot be paired with scores of shape \(\d, \d\)"):
        means(arm, baseline)


def sides(seeds: int, chance: int) -> Sides:
    rng = np.random.default_rng(chance)
    harmful, benign = (
        Scores(rng.integers(0, 2, (seeds, prompts)).astype(float), rng.uniform(2, 7, (seeds, prompts)))
        for prompts in (40, 30)
    )
    return Sides(harmful, benign)


def tiled(scores: Scores) -> Scores:
    return Scores(np.tile(scores.refusal, (3, 1)), np.tile(scores.entropy, (3, 1)))


def test_su_f1_differs_by_the_same_draws_of_both_arms() -> None:
    arm, baseline = sides(1, 1), sides(1, 2)
    result = safety_utility(arm, baseline)
    drawn = (resamples(*arm).su_f1 - resamples(*baseline).su_f1)[0, 1:]
    values = [estimate(*side).su_f1.value or 0 for side in (arm, baseline)]
    assert result["su_f1"].value == pytest.approx(values[0] - values[1])
    assert (result["su_f1"].low, result["su_f1"].high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))))
    assert result["su_f1"].p_value == pytest.approx(2 * (1 + min((drawn <= 0).sum(), (drawn >= 0).sum())) / 2001)
    assert list(result) == ["safety", "utility", "su_f1"]
    assert {(one.n_pairs, one.unpaired, one.test) for one in result.values()} == {(70, 0, "paired bootstrap")}


def test_su_f1_of_seeds_stands_beside_a_baseline_without_chance() -> None:
    arm, baseline = sides(3, 1), sides(1, 2)
    repeated = Sides(tiled(baseline.harmful), tiled(baseline.benign))
    result = safety_utility(arm, baseline)
    assert result == safety_utility(arm, repeated)
    assert {one.test for one in result.values()} == {"paired bootstrap, seeds as clusters"}
    assert safety_utility(repeated, baseline)["su_f1"].test == "paired bootstrap"


def test_su_f1_keeps_to_its_bounds() -> None:
    arm, baseline = sides(1, 1), sides(1, 2)
    wide, narrow = (safety_utility(arm, baseline, Bounds(high=high))["utility"].value for high in (20, 7.5))
    assert abs(wide) < abs(narrow)


def test_su_f1_leaves_out_pairs_where_either_side_lacks_a_score() -> None:
    arm, baseline = sides(1, 1), sides(1, 2)
    arm.harmful.refusal[0, 0] = baseline.harmful.entropy[0, 1] = NAN
    result = safety_utility(arm, baseline)
    assert [(one.n_pairs, one.unpaired) for one in result.values()] == [(69, 1), (69, 1), (68, 2)]
    without = [Scores(side.harmful.refusal[:, 1:], side.harmful.entropy[:, 1:]) for side in (arm, baseline)]
    shorter = [Sides(harmful, side.benign) for harmful, side in zip(without, (arm, baseline), strict=True)]
    assert result["safety"].value == pytest.approx(safety_utility(*shorter)["safety"].value)


@pytest.mark.parametrize(("harmful", "benign"), [(1, 1), (1, 30), (30, 1)])
def test_su_f1_of_a_single_prompt_of_either_set_is_not_compared(harmful: int, benign: int) -> None:
    def side(refused: float) -> Sides:
        return Sides(
            *(Scores(np.full((1, n), share), np.full((1, n), 5.0)) for n, share in ((harmful, refused), (benign, 0.0)))
        )

    assert safety_utility(side(1.0), side(0.0)) == {}


def test_su_f1_without_any_verdict_on_one_side_is_not_compared() -> None:
    arm, baseline = sides(1, 1), sides(1, 2)
    arm.benign.refusal[:] = NAN
    assert list(safety_utility(arm, baseline)) == ["utility"]


def family(p_values: list[float]) -> list[Difference]:
    return [Difference(0.1, 0.0, 0.2, p_value, p_value, 10, "t") for p_value in p_values]


@given(st.lists(st.floats(1e-6, 1), max_size=8))
def test_holm_is_its_literal_formula(p_values: list[float]) -> None:
    ranked = sorted(p_values)
    expected = [
        max(min(1.0, (len(ranked) - rank) * ranked[rank]) for rank in range(len(ranked)) if ranked[rank] <= p_value)
        for p_value in p_values
    ]
    assert [one.p_adjusted for one in holm(family(p_values))] == pytest.approx(expected)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_holm_lies_between_no_correction_and_bonferroni_in_any_order(p_values: list[float], order: object) -> None:
    adjusted = holm(family(p_values))
    assert all(one.p_value <= one.p_adjusted <= min(1.0, len(p_values) * one.p_value) + 1e-12 for one in adjusted)
    shuffled = list(range(len(p_values)))
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert holm([family(p_values)[place] for place in shuffled]) == [adjusted[place] for place in shuffled]


def test_holm_changes_nothing_but_the_adjusted_p_value() -> None:
    one = family([0.01])[0]
    assert holm([one, replace(one, p_value=0.2)])[0] == replace(one, p_adjusted=0.02)


def test_significance_is_the_adjusted_p_value_below_five_percent() -> None:
    one = family([0.001])[0]
    assert [replace(one, p_adjusted=p_value).is_significant for p_value in (0.049, 0.05)] == [True, False]


@pytest.mark.parametrize("name", METRICS)
def test_every_built_in_metric_has_a_paired_test(name: str) -> None:
    assert METRICS[name].estimate in COMPARERS
