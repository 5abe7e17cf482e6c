"""Warnings: what makes the numbers of an arm, or of all arms, worth less than they look. Each is one sentence."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.base import Intent, Json
from metrics.base import Estimate
from reports.base import Arm, Column, Comparison
from reports.leaderboard import number, readable

DEGENERATE = 0.2
"""Share of degenerate replies from which an arm is called so: a bound of ours, for a warning and no test."""
FAR_ABOVE = 0.1
"""By so much it must be above the first arm's, whose own texts may be poor. Ours too."""
HARDLY_ANY = 0.05
"""Share of refused harmful prompts below which there is little to strengthen. Ours too."""
RISEN = 1.05
"""Times its first value a loss must end at to be called risen: rounding and noise are below. Ours too."""


def cautions(comparison: Comparison) -> tuple[str, ...]:
    """All warnings: on the first arm, on each arm's fit and replies, and on arms that change nothing."""
    first, *others = comparison.arms
    return (
        *_hardly_refuses(comparison, first),
        *(f"{arm.name}: {text}" for arm in comparison.arms for text in warnings_of_fit(arm.diagnostics)),
        *(text for arm in others for text in _degenerate(comparison, arm, first)),
        *_unchanged(comparison, others, first),
    )


def warnings_of_fit(diagnostics: Mapping[str, Json]) -> tuple[str, ...]:
    """What a method warns of under `warnings`, and losses under `losses` that rose; each once, wherever it stands."""
    return tuple(dict.fromkeys(_of_fit(diagnostics)))


def _of_fit(diagnostics: Mapping[str, Json]) -> Iterator[str]:
    for name, value in diagnostics.items():
        if isinstance(value, Mapping):
            yield from _of_fit(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            if name == "warnings":
                yield from (text for text in value if isinstance(text, str))
            elif name == "losses":
                yield from _risen(_courses(value))


def _courses(losses: Sequence[Json]) -> list[list[float]]:
    """One course of numbers, or several."""
    found = [one for one in losses if isinstance(one, Sequence) and not isinstance(one, str)] or [losses]
    return [[number for number in one if isinstance(number, int | float)] for one in found]


def _risen(courses: Sequence[Sequence[float]]) -> Iterator[str]:
    risen = [one for one in courses if len(one) > 1 and one[-1] > RISEN * one[0]]
    if risen:
        worst = max(risen, key=lambda one: one[-1] - one[0])
        share = f" in {len(risen)} of {len(courses)} courses" if len(courses) > 1 else ""
        most = "at most " if len(risen) > 1 else ""
        yield (
            f"its loss rose while it was fitted{share}, {most}from {worst[0]:.3g} to {worst[-1]:.3g}; "
            "a smaller learning rate may help."
        )


def _hardly_refuses(comparison: Comparison, first: Arm) -> Iterator[str]:
    found = list(_shares(comparison, first, "refusal_rate", Intent.HARMFUL))
    if found and all(share < HARDLY_ANY for _, share in found):
        told = _listed([f"{number(column, share)} % of {readable(column.benchmark)}" for column, share in found])
        yield f"{first.name} refuses hardly any harmful prompt ({told}): methods have little refusal to steer by."


def _degenerate(comparison: Comparison, arm: Arm, first: Arm) -> Iterator[str]:
    usual = {column.key: share for column, share in _shares(comparison, first, "degenerate_rate")}
    bad = [
        (column, share)
        for column, share in _shares(comparison, arm, "degenerate_rate")
        if share >= DEGENERATE and share - usual.get(column.key, 0.0) >= FAR_ABOVE
    ]
    if bad:
        told = _listed([f"{number(column, share)} % to {readable(column.benchmark)}" for column, share in bad])
        consequence = "refusals there are no sign of safety, and answers no use"
        yield f"{arm.name}: many of its replies are degenerate ({told}); {consequence}."


def _unchanged(comparison: Comparison, arms: Sequence[Arm], first: Arm) -> Iterator[str]:
    """Arms whose every reply is the first arm's to the same prompt."""
    usual = {(one.benchmark, one.prompt_id): one.reply for one in comparison.samples if one.arm == first.name}
    shared: dict[str, int] = {}
    changed: set[str] = set()
    for one in comparison.samples:
        place = one.benchmark, one.prompt_id
        if place in usual:
            shared[one.arm] = shared.get(one.arm, 0) + 1
            if one.reply != usual[place]:
                changed.add(one.arm)
    same = [arm.name for arm in arms if arm.name in shared and arm.name not in changed]
    if len(same) > 1 and len(same) == len([arm for arm in arms if arm.name in shared]):
        yield f"No arm changes any reply of {first.name}: all of {_listed(same)} say the same, word for word."
    else:
        yield from (
            f"{name}: each of its {shared[name]:,} replies is that of {first.name}, word for word." for name in same
        )


def _shares(
    comparison: Comparison, arm: Arm, metric: str, intent: Intent | None = None
) -> Iterator[tuple[Column, float]]:
    """Its numbers of one metric on whole benchmarks, of one intent if it is given."""
    for column in comparison.columns:
        estimate: Estimate | None = comparison.estimates.get((arm.name, column.key))
        is_whole = column.metric == metric and not column.section and not column.category
        if is_whole and intent in (None, column.intent) and estimate is not None and estimate.value is not None:
            yield column, estimate.value


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
