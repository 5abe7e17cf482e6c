"""What detectors flag of dev questions, by source: a share over all hides a source that is refused throughout."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from benchmarks.base import Json
from reports.base import Arm

SHARES = {
    "flagged_share_of_malicious_dev_questions": "harmful",
    "flagged_share_of_benign_dev_questions": "benign",
}
"""By name under which a fit tells shares by source, the intent of the questions."""


class Flagged(NamedTuple):
    """One source of dev questions, and what a detector says of them."""

    arm: str
    intent: str
    source: str
    share: str
    """In percent, the mean over the seeds."""


def flagged(arms: Sequence[Arm]) -> tuple[Flagged, ...]:
    """A row for every source that an arm's fits tell of."""
    return tuple(row for arm in arms for row in _rows(arm))


def _rows(arm: Arm) -> Iterator[Flagged]:
    found: dict[tuple[str, str], list[float]] = {}
    for key, share in _shares(arm.diagnostics):
        found.setdefault(key, []).append(share)
    for (intent, source), shares in found.items():
        yield Flagged(arm.name, intent, source, f"{100 * fmean(shares):.1f}")


def _shares(facts: Mapping[str, Json]) -> Iterator[tuple[tuple[str, str], float]]:
    """Of all seeds and parts of a chain."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            if name in SHARES:
                yield from (
                    ((SHARES[name], source), float(share))
                    for source, share in value.items()
                    if isinstance(share, int | float)
                )
            else:
                yield from _shares(value)
