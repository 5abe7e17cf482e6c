import threading
import time

import pytest
import torch

from methods import peak_memory
from methods.metering import Meter

MIB = 2**20


def allocated(mib: int) -> torch.Tensor:
    return torch.ones(mib * MIB // 4)


def test_a_cost_is_the_sum_of_its_stages() -> None:
    meter = Meter()
    for stage, passes in (("attribution", 2.0), ("adaptation", 8.0), ("attribution", 0.5)):
        meter.count(stage, passes)
    cost = meter.cost()
    assert cost.stages == {"attribution": 2.5, "adaptation": 8.0}
    assert cost.forward_equivalents == 10.5


def test_a_cost_has_the_seconds_since_the_meter_was_made() -> None:
    meter = Meter()
    time.sleep(0.01)
    assert meter.cost().seconds >= 0.01


def test_stages_that_were_reported_do_not_change_afterwards() -> None:
    meter = Meter()
    meter.count("attribution", 1.0)
    cost = meter.cost()
    meter.count("attribution", 1.0)
    assert cost.stages == {"attribution": 1.0}


@pytest.mark.parametrize("is_kept_by_kernel", [True, False])
def test_memory_that_was_freed_before_a_fit_hides_nothing_of_what_the_fit_takes(
    is_kept_by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_kept_by_kernel:
        monkeypatch.setattr(peak_memory, "_forget_peak", lambda: False)
    before = allocated(1000)
    del before
    meter = Meter()
    taken = allocated(300)
    time.sleep(0.2)
    del taken
    assert meter.cost().peak_bytes == pytest.approx(300 * MIB, rel=0.1)


def test_a_fit_that_takes_nothing_costs_no_memory() -> None:
    held = allocated(200)
    assert Meter().cost().peak_bytes < 20 * MIB
    del held


def test_many_small_tensors_freed_before_a_fit_hide_nothing_either() -> None:
    before = [allocated(1) for _ in range(500)]
    last = allocated(1)
    del before
    meter = Meter()
    taken = [allocated(1) for _ in range(300)]
    assert meter.cost().peak_bytes == pytest.approx(300 * MIB, rel=0.1)
    del taken, last


def test_the_watch_of_a_meter_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "_forget_peak", lambda: False)
    meter = Meter()
    assert any(thread.name.endswith("(_watch)") for thread in threading.enumerate())
    del meter
    time.sleep(0.2)
    assert not any(thread.name.endswith("(_watch)") for thread in threading.enumerate())
