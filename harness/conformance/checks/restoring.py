"""A model is, to the bit, what it was: weights, hooks, mode, gradients."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.conformance.answers import answers
from harness.conformance.left_behind import left_behind
from harness.conformance.material import questions
from harness.conformance.subject import Subject, Violation
from harness.integrity import NetworkState
from methods.base import ChatModel


class Stumble(Exception):
    """Raised by the kit, and caught by it."""


def restored_after_fit(subject: Subject) -> None:
    """Fitting leaves the model as it was."""
    if subject.shared.left_behind:
        raise Violation(f"the fit {subject.shared.left_behind}")


def restored_after_use(subject: Subject) -> None:
    """Leaving `applied` leaves the model as it was."""
    model = subject.model()
    with _untouched(subject, "'applied'", model), subject.arm().applied(model) as protected:
        answers(protected, questions())


def restored_after_error(subject: Subject) -> None:
    """An exception, in the block or in the network, leaves the model as it was and the arm able to answer."""
    model = subject.model()
    with _untouched(subject, "an exception inside 'applied'", model):
        try:
            with subject.arm().applied(model):
                raise Stumble
        except Stumble:
            pass
    with subject.arm().applied(model) as protected:
        with _untouched(subject, "an exception while generating", model):
            _stumble_over(protected)
        change = subject.usual.change(answers(protected, questions()), tolerance=0.0)
    if change:
        raise Violation(f"after an exception while generating, {change}")


def _stumble_over(model: ChatModel) -> None:
    """Generate, and fail in the second pass of the last block."""
    passes: list[None] = []

    def stumble(*_: object) -> None:
        passes.append(None)
        if len(passes) > 1:
            raise Stumble

    handle = model.blocks[-1].module.register_forward_hook(stumble)
    try:
        answers(model, questions())
    except Stumble:
        pass
    finally:
        handle.remove()


@contextmanager
def _untouched(subject: Subject, what: str, model: ChatModel) -> Iterator[None]:
    before = NetworkState.of(model)
    yield
    left = left_behind(before, model, subject.model())
    if left:
        raise Violation(f"{what} {left}")
