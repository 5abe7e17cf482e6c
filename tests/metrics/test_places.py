import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.base import Difference
from metrics.bootstrap import RESAMPLES
from metrics.paired import CLUSTERED, Sides, holm, safety_utility
from metrics.ranking import places, with_tails
from metrics.su_f1 import Scores

FLOOR = 2 / (RESAMPLES + 1)


def pair(value: float, half: float, p_value: float) -> Difference:
    return Difference(value, value - half, value + half, p_value, p_value, 100, "paired bootstrap")


@st.composite
def tournaments(draw: st.DrawFn) -> np.ndarray:
    """Of every pair the first is better, the second is, or no test tells them apart; any cycle is allowed."""
    count = draw(st.integers(1, 7))
    beats = np.zeros((count, count), bool)
    for first in range(count):
        for second in range(first):
            winner = draw(st.sampled_from([None, (first, second), (second, first)]))
            if winner is not None:
                beats[winner] = True
    return beats


@given(tournaments())
def test_a_place_is_one_plus_those_that_win_and_all_less_those_that_lose(beats: np.ndarray) -> None:
    count = len(beats)
    for thing, found in enumerate(places(beats)):
        better = [other for other in range(count) if beats[other, thing]]
        worse = [other for other in range(count) if beats[thing, other]]
        assert found == (1 + len(better), count - len(worse))
        assert 1 <= found.first <= found.last <= count


@given(st.permutations(range(5)))
def test_where_all_pairs_are_told_apart_the_places_are_the_order(order: list[int]) -> None:
    beats = np.array([[order[one] < order[other] for other in range(5)] for one in range(5)])
    assert [found.first for found in places(beats)] == [1 + place for place in order]
    assert all(found.first == found.last for found in places(beats))


def test_where_no_pair_is_told_apart_all_share_the_first_place() -> None:
    assert places(np.zeros((4, 4), bool)) == [(1, 4)] * 4
    assert places(np.zeros((0, 0), bool)) == []


def test_two_that_beat_each_other_are_no_order() -> None:
    with pytest.raises(ValueError, match="two things beat each other"):
        places(np.ones((2, 2), bool))


def test_below_what_resamples_can_say_the_normal_tail_speaks() -> None:
    (found,) = with_tails([pair(0.10, 0.0392, FLOOR)])
    error = 0.0392 / 1.959963984540054
    assert found.p_value == found.p_adjusted == pytest.approx(math.erfc(0.10 / error / math.sqrt(2)))
    assert found.p_value < FLOOR


@pytest.mark.parametrize(
    "told",
    [
        pair(0.10, 0.0392, 2 * FLOOR),
        pair(0.10, 0.0, FLOOR),
        pair(0.05, 0.049, FLOOR),
        replace(pair(0.10, 0.0392, FLOOR), test=CLUSTERED),
    ],
    ids=["the resamples can tell", "nothing varies", "the tail says no less", "seeds are clusters"],
)
def test_elsewhere_the_resamples_keep_their_word(told: Difference) -> None:
    assert with_tails([told]) == [told]


def test_without_tails_the_pairs_of_eleven_arms_could_never_differ() -> None:
    far_apart = [pair(0.5, 0.01, FLOOR)] * 55
    assert not any(one.is_significant for one in holm(far_apart))
    assert all(one.is_significant for one in holm(with_tails(far_apart)))
    assert holm([replace(far_apart[0])])[0].is_significant


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "trials"), [(1, 150), (3, 60)])
def test_where_no_arm_differs_one_ranking_in_twenty_separates_any(seeds: int, trials: int) -> None:
    draw = np.random.default_rng(7)
    alarms = sum(any(one.is_significant for one in holm(with_tails(no_difference(draw, seeds)))) for _ in range(trials))
    print(f"{seeds} seeds: a false alarm in {alarms} of {trials} rankings of 12 arms")
    assert alarms / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def no_difference(draw: np.random.Generator, seeds: int) -> list[Difference]:
    """All pairs of 12 arms that refuse 50 % of 100 harmful and 10 % of 100 benign prompts, some harder for all."""
    harmful, benign = (scores(draw, seeds, rate) for rate in (0.5, 0.1))
    arms = [Sides(*pair) for pair in zip(harmful, benign, strict=True)]
    return [safety_utility(one, other)["su_f1"] for one, other in combinations(arms, 2)]


def scores(draw: np.random.Generator, seeds: int, rate: float) -> list[Scores]:
    hardness = draw.random(100)
    shape = (12, seeds, 100)
    refused = 0.6 * hardness + 0.4 * draw.random(shape) + 0.05 * draw.normal(size=(12, seeds, 1)) * (seeds > 1) < rate
    bits = 5.5 - 0.5 * hardness + draw.normal(0, 0.8, shape)
    return [Scores(*one) for one in zip(refused.astype(float), bits, strict=True)]
