"""The kit for pytest: one test a check, for the tests of a method inside or outside this repository.

from harness.conformance.suite import conformance_tests

test_conformance = conformance_tests("my_file.py:MyMethod")
"""

from collections.abc import Callable
from functools import cache

import pytest

from benchmarks.errors import UserError
from harness.conformance.kit import Check, Status, checks, outcome
from harness.conformance.subject import HOME, Subject
from methods.base import Method
from methods.registry import method_type


def conformance_tests(method: str | type[Method], family: str = HOME) -> Callable[[Check], None]:
    """A test that pytest runs once for every check; what a method refuses, or cannot be asked, is skipped.

    Args:
        method: Its class, or what `--methods` calls it; looked up when the first test runs.
        family: On which most checks run; each other family has a check of its own.
    """

    @cache
    def subject() -> Subject:
        return Subject(method_type(method) if isinstance(method, str) else method, family=family)

    @pytest.mark.parametrize("check", checks(family), ids=lambda check: check.name)
    def test_conformance(check: Check) -> None:
        try:
            found = outcome(subject(), check)
        except UserError as error:  # no such method, or one that cannot be used
            pytest.fail(str(error), pytrace=False)
        if found.status is Status.FAILED:
            pytest.fail(found.text, pytrace=False)
        if found.status is not Status.PASSED:
            pytest.skip(found.text)

    return test_conformance
