"""Which arms are controls: those that take a method"s part at random, or from labels that were shuffled."""

from reports.base import Arm
from reports.facts import facts

CONTROLS = ("random", "shuffled_labels")
"""Settings that make an arm a control, as the methods name them."""


def is_control(arm: Arm) -> bool:
    """Whether any setting of the arm is one that its method offers as a control."""
    return any(text in CONTROLS for _, text in facts(arm.settings))
