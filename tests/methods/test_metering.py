import time

from methods.metering import Meter


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
