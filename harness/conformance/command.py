"""`equipoise check`: the kit on one method, a line a check."""

from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.brackets import parse_settings
from benchmarks.errors import UserError, unknown_name
from harness.arms import parse_arms
from harness.conformance.families import FAMILIES
from harness.conformance.kit import Outcome, Status, checks, outcome
from harness.conformance.subject import Subject
from methods.registry import method_type
from methods.settings import build_settings


def check_method(method: str, family: str, fixed: Sequence[str], tell: Callable[[str], None]) -> bool:
    """Run every check and tell what came of each as it comes.

    Args:
        method: As one arm of `--methods`; its settings win over the method's `small` ones.
        family: On which most checks run.
        fixed: More settings, `name=value` each.
        tell: Told one line at a time.

    Returns:
        Whether no check failed.

    Raises:
        UserError: If there is no such method, setting or family.
    """
    subject = _subject(method, family, fixed)
    planned = checks(family)
    width = max(len(check.name) for check in planned)
    counts: Counter[Status] = Counter()
    for check in planned:
        found = outcome(subject, check)
        counts[found.status] += 1
        tell(_line(found, width))
    tell(f"{subject.kind.name}: {', '.join(f'{counts[status]} {status}' for status in Status if counts[status])}")
    return not counts[Status.FAILED]


def _subject(method: str, family: str, fixed: Sequence[str]) -> Subject:
    if family not in FAMILIES:
        raise unknown_name("family", family, FAMILIES)
    arm, *others = parse_arms(method)
    if others or arm.tuned:
        raise UserError(f"'{method}' is not one method with its settings. Write name[setting=value], one at a time.")
    settings = dict(arm.settings)
    for text in fixed:
        settings |= parse_settings(text, method)
    kind = method_type(arm.method)
    build_settings(kind.settings_type, settings, kind.name)  # the user's mistake is told before the method's
    return Subject(kind, settings, family)


def _line(found: Outcome, width: int) -> str:
    return f"{found.status:<7}  {found.check:<{width}}  {found.text}"
