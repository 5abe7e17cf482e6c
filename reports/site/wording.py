"""A ranking in plain words."""

from collections.abc import Mapping, Sequence

from metrics.ranking import Places
from reports.leaderboard import MISSING
from reports.site.base import Ranking, Row

NAMED = 4
"""Arms that a sentence names before it counts."""


def finding(ranking: Ranking) -> str:
    """Who is first, and whether the tests can tell."""
    ranked = [row for row in ranking.rows if row.places]
    if ranking.by is None:
        return (
            "Not ranked: SU-F1 needs a harmful and a benign benchmark, and these runs have no such pair. "
            "Refusals are listed instead."
        )
    if not ranked:
        return "Not ranked: no arm has finished both benchmarks."
    if len(ranked) == 1:
        return f"Only {ranked[0].entry.arm} has an SU-F1, so there is nothing to rank it against."
    first = [row for row in ranked if row.places and row.places.first == 1]
    if len(first) > 1:
        return f"{_names(first)} share rank 1: none of them has an SU-F1 significantly below any other arm's."
    best = first[0]
    if best.places and best.places.last == 1:
        return f"{best.entry.arm} is first: its SU-F1 is significantly above that of every other arm."
    return f"{best.entry.arm} is first: no arm is significantly better, and each other arm is beaten by some arm."


def rank(places: Places | None) -> str:
    """`1`, or `1-3` where the tests leave more places open."""
    if places is None:
        return MISSING
    return str(places.first) if places.first == places.last else f"{places.first}-{places.last}"


def cost(numbers: Mapping[str, float]) -> list[str]:
    """What an arm takes: to be fitted, and for each reply; a dash where it was not fitted yet."""
    if not numbers:
        return [MISSING]
    fit = numbers.get("seconds", 0.0)
    passes, tokens = numbers.get("extra_passes_per_reply", 0.0), numbers.get("extra_tokens_per_reply", 0.0)
    told = [f"{fit:,.1f} s to fit" if fit else "no fit"]
    told += [f"+{passes:.3g} passes a reply"] if passes else []
    return told + ([f"+{tokens:.3g} tokens a reply"] if tokens else [])


def _names(rows: Sequence[Row]) -> str:
    names = [row.entry.arm for row in rows]
    if len(names) > NAMED:
        return f"{', '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"
