"""The conformance kit on `toy_method.py`, a test a check, and a first test of what the method does."""

import sys
from pathlib import Path

from benchmarks.registry import load_alignment
from harness.conformance.suite import conformance_tests
from methods.registry import method_type

METHOD = f"{Path(__file__).with_name('toy_method.py')}:ToyMethod"

test_conformance = conformance_tests(METHOD)


def test_the_reminder_ends_the_last_turn() -> None:
    """Say in the name what should be so; compare with what the paper's formula gives."""
    module = sys.modules[method_type(METHOD).__module__]
    prompt = load_alignment("embedded").train[0]
    changed = module.reminded(prompt, "Be kind.")
    assert changed.messages[-1].content == f"{prompt.messages[-1].content} Be kind."
    assert changed.id == prompt.id
