import pytest

from harness.conformance.kit import Outcome, Status, checks, outcome
from harness.conformance.subject import Subject
from tests.harness.broken_arms import ALL_BROKEN, NeedsDenseBlocks
from tests.harness.broken_methods import Broken
from tests.harness.sound_method import Sound

AT_HOME = [check for check in checks() if check.family == "llama"]


def outcomes(kind: type[Sound]) -> dict[str, Outcome]:
    subject = Subject(kind)
    return {check.name: outcome(subject, check) for check in AT_HOME}


@pytest.mark.parametrize("broken", ALL_BROKEN, ids=lambda broken: broken.kind.__name__)
def test_a_broken_method_is_caught_by_the_check_meant_for_it(broken: Broken) -> None:
    failed = {name: found.text for name, found in outcomes(broken.kind).items() if found.status is Status.FAILED}
    where = "" if broken.check in ("contract", "settings") else "on tiny-llama, "
    assert failed == {broken.check: where + broken.reason}


def test_the_sound_method_that_they_are_made_from_passes_every_check() -> None:
    subject = Subject(Sound)
    found = [outcome(subject, check) for check in checks()]
    assert {one.check: one.status for one in found if one.status is not Status.PASSED} == {"fold": Status.SKIPPED}


def test_every_check_catches_a_broken_method() -> None:
    assert {broken.check for broken in ALL_BROKEN} == {check.name for check in AT_HOME}


def test_a_family_that_a_method_should_have_refused_is_named() -> None:
    subject = Subject(NeedsDenseBlocks)
    on_mixtral = next(check for check in checks() if check.family == "mixtral")
    assert outcome(subject, on_mixtral).text == (
        "on tiny-mixtral, it raised ValueError: block 0 has no dense feed-forward part"
    )
