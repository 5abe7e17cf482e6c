"""Structure: what can be told of a method before it sees a model."""

from collections.abc import Iterator
from typing import Any

from benchmarks.errors import UserError
from harness.conformance.counting import counted
from harness.conformance.material import alignment
from harness.conformance.subject import HOME, Refused, Subject, Violation
from methods.base import Method
from methods.contract import faults
from methods.settings import Range, Setting, build_settings, describe


def contract(subject: Subject) -> None:
    """The method has every member of the contract, of the right type and signature."""
    found = faults(subject.kind)
    if found:
        raise Violation("; ".join(found))


def settings(subject: Subject) -> None:
    """Every setting has a meaning and a source; defaults, what tuning may choose, 'small', 'neutral' are allowed."""
    kind = subject.kind
    for known in describe(kind.settings_type):
        for fact in ("meaning", "source"):
            if not getattr(known, fact).strip():
                raise Violation(f"setting '{known.name}' has no {fact}")
        for values in _promised(known):
            _build(kind, f"setting '{known.name}'", values)
    _build(kind, "'small'", {**kind.small, **subject.given})
    _build(kind, "'neutral'", {**kind.small, **subject.given, **kind.neutral})


def fits(subject: Subject) -> None:
    """With its small settings the method can be fitted, saved and loaded."""
    error = subject.tried
    if isinstance(error, Refused) and subject.family == HOME:
        raise Violation(f"'small' must fit a tiny {HOME}, but the method refuses it: {error}")
    if isinstance(error, Exception):
        raise error
    model = subject.model()
    with counted(model) as passes:
        subject.method().check(model, alignment())
    if passes.rows:
        raise Violation("'check' ran the network; it is to refuse before any work")


def _promised(known: Setting) -> Iterator[dict[str, Any]]:
    """The default, and what tuning may choose: whole numbers where the default is one."""
    yield {known.name: known.default}
    if isinstance(known.search, Range):
        number = type(known.default)
        yield from ({known.name: number(end)} for end in (known.search.low, known.search.high))
    else:
        yield from ({known.name: value} for value in known.search or ())


def _build(kind: type[Method], what: str, values: dict[str, Any]) -> None:
    try:
        build_settings(kind.settings_type, values, kind.name)
    except UserError as error:
        raise Violation(f"{what}: {error}") from error
