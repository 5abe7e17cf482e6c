from types import SimpleNamespace
from typing import Any, cast

from harness.cluster.base import Task
from harness.cluster.schedule import MOST_LOSSES, Schedule
from harness.plan import Plan
from harness.session import Failure

SPOILT = Failure("ZeroDivisionError: no neuron left", "the traceback", is_spoiling=True)


def planned(**seeds: tuple[int, ...]) -> Schedule:
    """Arms with their seeds, on the benchmarks `bad` and `good`."""
    arms = tuple(SimpleNamespace(label=label, seeds=of_arm) for label, of_arm in seeds.items())
    plan: Any = SimpleNamespace(arms=arms, benchmarks=tuple(SimpleNamespace(name=name) for name in ("bad", "good")))
    return Schedule(cast(Plan, plan))


def taken(schedule: Schedule) -> list[Task]:
    """All that can be begun now."""
    return list(iter(schedule.take, None))


def test_cells_wait_for_their_fit_and_fits_come_first() -> None:
    schedule = planned(a=(0,), b=(0, 1))
    first = schedule.take()
    assert first == Task("a", 0)
    schedule.fitted(first, "hash")
    assert taken(schedule) == [Task("b", 0), Task("b", 1), Task("a", 0, "bad"), Task("a", 0, "good")]
    assert schedule.hashes == {Task("a", 0): "hash"}


def test_a_run_is_over_when_nothing_waits_and_nobody_works() -> None:
    schedule = planned(a=(0,))
    schedule.fitted(taken(schedule)[0], "hash")
    for task in taken(schedule):
        assert not schedule.is_over
        schedule.answered(task)
    assert schedule.is_over
    assert schedule.broken == ()


def test_an_arm_that_breaks_loses_what_it_has_not_begun_and_no_other_does() -> None:
    schedule = planned(a=(0, 1), b=(0,))
    fit = schedule.take()
    assert fit == Task("a", 0)
    schedule.failed(fit, SPOILT)
    assert taken(schedule) == [Task("b", 0)]
    assert schedule.broken == ("a",)


def test_a_fit_that_ends_after_its_arm_broke_brings_no_cells() -> None:
    schedule = planned(a=(0, 1))
    first, second = taken(schedule)
    schedule.failed(second, SPOILT)
    schedule.fitted(first, "hash")
    assert schedule.is_over


def test_failures_are_told_in_the_order_of_the_plan_once_nobody_works_on_the_arm() -> None:
    schedule = planned(a=(0, 1))
    first, second = taken(schedule)
    schedule.failed(second, SPOILT)
    assert schedule.failures_of("a") == []
    schedule.failed(first, SPOILT._replace(reason="another"))
    assert [task for task, _ in schedule.failures_of("a")] == [first, second]


def test_what_a_lost_worker_held_is_given_out_again_until_it_has_cost_three() -> None:
    schedule = planned(a=(0,))
    for _ in range(MOST_LOSSES - 1):
        assert schedule.lost(taken(schedule)[0])
        assert not schedule.is_over
    assert not schedule.lost(taken(schedule)[0])
    assert schedule.is_over
    [(task, failure)] = schedule.failures_of("a")
    assert task == Task("a", 0)
    assert failure.reason == "WorkerLost: 3 workers were lost over 'a, seed 0, its fit', for want of memory perhaps."
    assert not failure.is_spoiling
