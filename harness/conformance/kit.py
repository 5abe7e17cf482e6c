"""The kit: every check of one method, and what came of each."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.errors import describe
from harness.conformance.checks import costing, keeping, learning, replying, restoring, structure, surroundings
from harness.conformance.families import FAMILIES
from harness.conformance.subject import HOME, NothingToCheck, Refused, Subject, Violation, attempt

Law = Callable[[Subject], None]
"""Raises `Violation` with what it saw, if that is not as its docstring says."""


class Status(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    """By the method, which may refuse a model before any work."""
    SKIPPED = "skipped"
    """There was nothing to look at."""


class Outcome(NamedTuple):
    """One line of the kit's report."""

    check: str
    status: Status
    text: str
    """The law; where it was not passed, the reason."""


STRUCTURE: Mapping[str, Law] = {
    "contract": structure.contract,
    "settings": structure.settings,
}
"""Checks that need no model; where one fails, nothing else can be checked."""

BEHAVIOUR: Mapping[str, Law] = {
    "fits": structure.fits,
    "restored_after_fit": restoring.restored_after_fit,
    "random_state": learning.random_state,
    "deterministic": learning.deterministic,
    "unseeded": learning.unseeded,
    "learning_material": learning.learning_material,
    "plain_artefact": keeping.plain_artefact,
    "round_trip": keeping.round_trip,
    "cost_of_fitting": costing.cost_of_fitting,
    "strength_zero": replying.strength_zero,
    "acts": replying.acts,
    "order": replying.order,
    "batch": replying.batch,
    "history": replying.history,
    "unchanged_by_answering": learning.unchanged_by_answering,
    "restored_after_use": restoring.restored_after_use,
    "restored_after_error": restoring.restored_after_error,
    "fold": keeping.fold,
    "cost_of_replies": costing.cost_of_replies,
    "needs": surroundings.needs,
    "nested": surroundings.nested,
    "half_precision": surroundings.half_precision,
}
"""Checks on one family."""

ON_EVERY_FAMILY = ("fits", "restored_after_fit", "batch", "restored_after_use", "fold")
"""Checks whose outcome hangs on how a family is built."""


class Check(NamedTuple):
    """A law, or several together, on one family."""

    name: str
    family: str
    laws: tuple[Law, ...]

    @property
    def text(self) -> str:
        """What is checked, in a sentence."""
        if len(self.laws) > 1:
            return f"On a tiny {self.family} too: {', '.join(ON_EVERY_FAMILY)}."
        return (inspect.getdoc(self.laws[0]) or "").partition("\n")[0]


def checks(family: str = HOME) -> tuple[Check, ...]:
    """All checks at home on `family`, then one for each other family."""
    laws = {**STRUCTURE, **BEHAVIOUR}
    elsewhere = tuple(BEHAVIOUR[name] for name in ON_EVERY_FAMILY)
    return (
        *(Check(name, family, (law,)) for name, law in laws.items()),
        *(Check(f"on_{other}", other, elsewhere) for other in FAMILIES if other != family),
    )


def outcome(subject: Subject, check: Check) -> Outcome:
    """What comes of one check; nothing that a method does makes it raise."""
    with _one_thread():
        error = attempt(partial(_run, subject, check))
    if error is None:
        return Outcome(check.name, Status.PASSED, check.text)
    if isinstance(error, Refused):
        return Outcome(check.name, Status.REFUSED, str(error))
    if isinstance(error, NothingToCheck):
        return Outcome(check.name, Status.SKIPPED, str(error))
    reason = str(error) if isinstance(error, Violation) else f"it raised {describe(error)}"
    where = "" if check.name in STRUCTURE else f"on tiny-{check.family}, "
    return Outcome(check.name, Status.FAILED, where + reason)


def _run(subject: Subject, check: Check) -> None:
    for name, law in STRUCTURE.items():
        if name == check.name:
            return law(subject)
        if attempt(partial(law, subject)) is not None:
            raise NothingToCheck(f"'{name}' failed")
    there = subject if check.family == subject.family else subject.on(check.family)
    for law in check.laws:
        if law is not structure.fits:
            _ = there.shared  # one reason is enough where nothing can be fitted
        try:
            law(there)
        except NothingToCheck:
            if len(check.laws) == 1:
                raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Tiny networks are slower on many threads, by far where others want the cores too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
