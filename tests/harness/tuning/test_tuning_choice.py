import math
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from harness.tuning.budget import Budget, Unit
from harness.tuning.outcome import best_of
from harness.tuning.trial import Trial
from metrics.base import Estimate
from metrics.pareto import Axes, front

AXES = st.builds(Axes, st.integers(0, 5).map(lambda n: n / 5), st.integers(0, 5).map(lambda n: n / 5))


def beats(one: Axes, other: Axes) -> bool:
    return (one.safety > other.safety and one.utility >= other.utility) or (
        one.safety >= other.safety and one.utility > other.utility
    )


@given(st.lists(AXES))
def test_no_member_of_the_front_is_dominated_and_every_other_is(places: list[Axes]) -> None:
    numbers = list(range(len(places)))
    members = front(numbers, lambda number: places[number])
    for number in numbers:
        is_beaten = any(beats(other, places[number]) for other in places)
        assert (number in members) is not is_beaten
    assert len(set(members)) == len(members)


@given(st.lists(AXES))
def test_the_front_runs_from_the_most_useful_to_the_safest(places: list[Axes]) -> None:
    members = front(places, lambda place: place)
    assert [place.safety for place in members] == sorted(place.safety for place in members)
    assert [place.utility for place in members] == sorted((place.utility for place in members), reverse=True)


@given(st.lists(AXES), st.randoms(use_true_random=False))
def test_the_front_does_not_depend_on_the_order(places: list[Axes], chance: object) -> None:
    shuffled = sorted(places, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert front(shuffled, lambda place: place) == front(places, lambda place: place)


def trial(number: int, value: float | None, cost: float = 1.0) -> Trial:
    estimate = Estimate(value, value, value, 10)
    return Trial(number, {}, cost, 0.0, {} if value is None else {"su_f1": estimate}, "" if value else "failed")


def test_the_best_has_the_largest_value() -> None:
    best = best_of([trial(0, 0.5), trial(1, 0.7), trial(2, None), trial(3, 0.6)], "su_f1")
    assert best is not None
    assert best.number == 1


def test_of_equal_trials_the_cheaper_is_chosen_then_the_earlier() -> None:
    best = best_of([trial(0, 0.7, 9), trial(1, 0.7, 3), trial(2, 0.7, 3), trial(3, 0.6, 1)], "su_f1")
    assert best is not None
    assert best.number == 1


def test_where_all_failed_none_is_best() -> None:
    assert best_of([trial(0, None)], "su_f1") is None


COSTS = st.lists(st.integers(1, 50).map(float), max_size=9)


@given(COSTS, st.integers(0, 300))
def test_a_budget_pays_for_as_many_of_the_first_trials_as_it_can(costs: list[float], amount: int) -> None:
    trials = [trial(number, 0.5, cost) for number, cost in enumerate(costs)]
    budget = Budget(Unit.FORWARD_EQUIVALENTS, amount)
    counted = budget.counted(trials)
    assert [one.number for one in counted] == list(range(len(counted)))
    assert budget.spent(counted) <= amount
    assert len(counted) == len(costs) or list(accumulate(costs))[len(counted)] > amount


@given(COSTS, st.integers(1, 50), st.integers(1, 300))
def test_a_further_trial_starts_only_if_its_dev_prompts_are_left(costs: list[float], least: int, amount: int) -> None:
    trials = [trial(number, 0.5, cost) for number, cost in enumerate(costs)]
    allowed = Budget(Unit.FORWARD_EQUIVALENTS, amount).allows_another(trials, least)
    assert allowed is (math.fsum(costs) + least <= amount)


@given(COSTS, st.integers(1, 12))
def test_a_budget_in_trials_counts_trials_whatever_they_cost(costs: list[float], amount: int) -> None:
    trials = [trial(number, 0.5 if cost > 20 else None, cost) for number, cost in enumerate(costs)]
    budget = Budget(Unit.TRIALS, amount)
    assert len(budget.counted(trials)) == min(len(costs), amount)
    assert budget.allows_another(trials, 1000) is (len(costs) < amount)
