import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from metrics.base import Estimate, Estimator
from metrics.bootstrap import draw_seeds, generator, mean_of_scored, resample
from metrics.estimation import geometric_mean, mean, median, rate, wilson

NAN = math.nan
ESTIMATORS = pytest.mark.parametrize("estimator", [mean, geometric_mean, median, rate], ids=lambda f: f.__name__)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 12))
BITS = arrays(float, SHAPES, elements=st.sampled_from([0.0, 1.0, NAN]))
POSITIVE = arrays(float, SHAPES, elements=st.floats(0.01, 100) | st.just(NAN))
FEW = settings(max_examples=25, deadline=None)


def assert_ordered(estimate: Estimate, scores: np.ndarray) -> None:
    assert estimate.unscored == np.isnan(scores).sum()
    assert estimate.n == (~np.isnan(scores)).any(axis=0).sum()
    if estimate.n == 0:
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        return
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high
    assert np.nanmin(scores) - 1e-9 <= estimate.low and estimate.high <= max(1.0, np.nanmax(scores)) + 1e-9


@FEW
@given(BITS)
def test_a_rate_lies_in_its_interval_and_counts_what_it_leaves_out(scores: np.ndarray) -> None:
    estimate = rate(scores)
    assert (estimate.low or 0) >= 0 and (estimate.high or 0) <= 1
    assert (estimate.n, estimate.unscored) == ((~np.isnan(scores)).any(axis=0).sum(), np.isnan(scores).sum())
    assert estimate.value is None or estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("estimator", [mean, geometric_mean, median], ids=lambda f: f.__name__)
@FEW
@given(POSITIVE)
def test_a_value_lies_in_its_interval_and_the_interval_within_the_data(
    estimator: Estimator, scores: np.ndarray
) -> None:
    assert_ordered(estimator(scores), scores)


@ESTIMATORS
@FEW
@given(scores=BITS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_prompts_changes_nothing(estimator: Estimator, scores: np.ndarray, order: object) -> None:
    columns = list(range(scores.shape[1]))
    order.shuffle(columns)  # type: ignore[attr-defined]
    positive = scores if estimator is rate else scores + 1.1
    assert estimator(positive[:, columns]) == estimator(positive)


@ESTIMATORS
def test_estimates_are_the_same_every_time(estimator: Estimator) -> None:
    scores = np.random.default_rng(0).integers(0, 2, (3, 40)).astype(float) + (estimator is not rate)
    assert estimator(scores) == estimator(scores)


@ESTIMATORS
def test_nothing_scored_gives_no_value(estimator: Estimator) -> None:
    assert estimator(np.full((2, 3), NAN)) == Estimate(None, None, None, n=0, unscored=6)
    assert estimator(np.empty((1, 0))) == Estimate(None, None, None, n=0, unscored=0)


@ESTIMATORS
def test_constant_data_gives_the_constant(estimator: Estimator) -> None:
    estimate = estimator(np.ones((3, 30)))
    assert estimate.value == estimate.high == 1
    assert estimate.low == (wilson(30, 30).low if estimator is rate else 1)


@pytest.mark.parametrize("estimator", [mean, geometric_mean, median], ids=lambda f: f.__name__)
def test_one_prompt_is_its_own_interval(estimator: Estimator) -> None:
    estimate = estimator(np.array([[3.7]]))
    assert estimate.n == 1
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((3.7, 3.7, 3.7))


def test_a_rate_of_one_prompt_is_almost_unknown() -> None:
    estimate = rate(np.array([[1.0]]))
    assert (estimate.value, estimate.high, estimate.n) == (1, 1, 1)
    assert estimate.low == pytest.approx(0.2065, abs=1e-4)


def test_means_are_what_their_names_say() -> None:
    scores = np.array([[1.0, 4.0, 16.0, NAN]])
    assert mean(scores).value == 7
    assert geometric_mean(scores).value == pytest.approx(math.exp(np.log([1, 4, 16]).mean())) == pytest.approx(4)
    assert median(scores).value == 4


def test_prompts_count_the_same_however_many_of_their_seeds_are_scored() -> None:
    scores = np.array([[0.0, 1.0], [0.0, NAN], [0.0, NAN]])
    assert mean(scores).value == rate(scores).value == 0.5


@given(st.integers(1, 300), st.data())
def test_wilson_is_the_interval_of_scipy(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    oracle = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_wilson_covers_the_truth_about_95_times_in_a_hundred() -> None:
    n, shares = 100, np.linspace(0.05, 0.95, 37)
    intervals = np.array([wilson(successes, n) for successes in range(n + 1)])
    covers = (intervals[:, :1] <= shares) & (shares <= intervals[:, 1:])
    coverage = (stats.binom.pmf(np.arange(n + 1)[:, None], n, shares) * covers).sum(axis=0)
    assert coverage.mean() == pytest.approx(0.95, abs=0.01)
    assert coverage.min() > 0.92


def test_a_rate_takes_wilson_where_the_seeds_agree_and_counts_each_prompt_once() -> None:
    row = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, NAN])
    single, triple = rate(row[np.newaxis]), rate(np.tile(row, (3, 1)))
    assert (single.low, single.high) == wilson(3, 7)
    assert (triple.value, triple.low, triple.high, triple.n) == (single.value, single.low, single.high, 7)
    assert (single.unscored, triple.unscored) == (1, 3)


def test_seeds_are_clusters() -> None:
    prompts = 200
    seed_effect = np.repeat([[0.0], [1.0], [1.0], [0.0]], prompts, axis=1)
    estimate = rate(seed_effect)
    assert estimate.value == 0.5
    assert estimate.low is not None and estimate.low < 0.1
    assert estimate.high is not None and estimate.high > 0.9


def test_the_bootstrap_of_one_seed_is_as_wide_as_theory_says() -> None:
    scores = np.random.default_rng(1).normal(5, 2, (1, 400))
    estimate = mean(scores)
    assert estimate.low is not None and estimate.high is not None
    expected = 2 * 1.96 * scores.std() / math.sqrt(400)
    assert estimate.high - estimate.low == pytest.approx(expected, rel=0.1)


def test_measures_of_a_prompt_are_resampled_together() -> None:
    chance = generator()
    scores = np.random.default_rng(2).random((3, 20))
    counts = draw_seeds(3, chance)
    first, second = resample(np.stack((scores, 2 * scores)), counts, mean_of_scored, chance)
    assert second == pytest.approx(2 * first)
    assert first.std() > 0


def test_a_prompt_without_a_score_under_the_drawn_seeds_keeps_its_mean_over_all_seeds() -> None:
    scores = np.array([[NAN], [4.0], [8.0]])
    counts = np.tile([3, 0, 0], (100, 1))
    assert (resample(scores[np.newaxis], counts, mean_of_scored, generator()) == 6).all()


def test_a_resample_is_the_literal_crossing_of_seeds_and_prompts() -> None:
    scores = np.array([[1.0, 2.0, NAN], [4.0, NAN, 16.0], [7.0, 8.0, NAN]])
    counts = np.tile([1, 2, 0], (100, 1))
    drawn = generator().integers(3, size=(100, 3))
    expected = np.array([(1 + 4 + 4) / 3, 2.0, 16.0])[drawn].mean(axis=1)
    assert resample(scores[np.newaxis], counts, mean_of_scored, generator())[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("estimator", "scores", "message"),
    [
        (rate, [[0.0, 0.5]], "a rate is made from scores of 0 and 1"),
        (geometric_mean, [[1.0, 0.0]], "a geometric mean is made from positive scores"),
    ],
)
def test_scores_of_the_wrong_kind_are_refused(
    estimator: Callable[[np.ndarray], Estimate], scores: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        estimator(np.array(scores))
