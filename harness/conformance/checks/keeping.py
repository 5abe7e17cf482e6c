"""Artefacts: plain data that says the same as the fit it comes from, and the weights that a foldable arm amounts to."""

import json

from harness.conformance.answers import answers
from harness.conformance.content import content, fault, first_change
from harness.conformance.material import questions
from harness.conformance.subject import NothingToCheck, Subject, Violation
from methods.base import Foldable
from methods.editing import edited

FOLDED = 1e-5
"""By how much log-probabilities may differ between hooks and folded weights, in float32."""


def plain_artefact(subject: Subject) -> None:
    """The artefact is safetensors and JSON with finite numbers, nothing that can be executed; so are diagnostics."""
    found = fault(subject.shared.folder)
    if found:
        raise Violation(f"in the artefact, {found}")
    try:
        json.dumps(dict(subject.shared.fitted.diagnostics()), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Violation(f"diagnostics cannot be written as JSON: {error}") from error


def round_trip(subject: Subject) -> None:
    """What was saved and loaded saves the same files, and answers the same."""
    change = first_change(content(subject.shared.folder), content(subject.save(subject.arm())))
    if change:
        raise Violation(f"saved, loaded and saved again, {change}")
    with subject.shared.fitted.applied(subject.model()) as protected:
        before = answers(protected, questions())
    change = before.change(subject.usual, tolerance=0.0)
    if change:
        raise Violation(f"saved and loaded, {change}")


def fold(subject: Subject) -> None:
    """The edited weights of a foldable arm answer as the arm does."""
    arm, model = subject.arm(), subject.model()
    if not isinstance(arm, Foldable):
        raise NothingToCheck("the arm is no edit of the weights alone")
    with edited(model.network, arm.fold(model.network.state_dict(), model.blocks)):
        folded = answers(model, questions())
    change = subject.usual.change(folded, FOLDED)
    if change:
        raise Violation(f"folded, {change}")
