"""Method cards: what each method of a comparison is, what can be set, and how its arms were set and tuned."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.base import Json
from reports.base import Arm, Comparison
from reports.facts import Fact, costs, facts, text
from reports.flagged import Flagged, flagged

UNTUNED = "not tuned: settings as given"


class Setting(NamedTuple):
    """One setting of a method. All but its name and values are empty in runs of version 0.1, which kept no cards."""

    name: str
    default: str
    unit: str
    allowed: str
    meaning: str
    source: str
    values: str
    """What arms have instead of the default, and which; empty where all keep it."""


class ArmFacts(NamedTuple):
    """One arm of a method."""

    name: str
    changes: tuple[Fact, ...]
    """Settings that differ from their defaults, with both values."""
    keeps_defaults: bool
    """Whether it is known that no setting differs."""
    tuning: str
    costs: tuple[Fact, ...]
    diagnostics: tuple[Fact, ...]


class Card(NamedTuple):
    """One method with all of its arms."""

    name: str
    summary: str
    paper: str
    fidelity: str
    deviations: tuple[str, ...]
    needs: str
    settings: tuple[Setting, ...]
    arms: tuple[ArmFacts, ...]
    flagged: tuple[Flagged, ...]


def cards(comparison: Comparison) -> list[Card]:
    """A card for every method, in the order of the comparison."""
    default = comparison.arms[0]
    methods = dict.fromkeys(arm.method for arm in comparison.arms)
    return [_card([arm for arm in comparison.arms if arm.method == method], default) for method in methods]


def tuned(tuning: Mapping[str, Json]) -> str:
    """On what an arm's settings were tuned and with what budget, in one line."""
    if not tuning:
        return UNTUNED
    line = f"tuned for {tuning['objective']} on {tuning['dev_prompts']} dev prompts of '{tuning['data']}', "
    line += f"{tuning['trials']} trials"
    if isinstance(spent := tuning.get("forward_equivalents"), int | float):
        line += f", {spent:,.0f} forward equivalents"
    if overridden := _sequence(tuning.get("overridden")):
        line += f"; given instead: {', '.join(map(text, overridden))}"
    return line


def _card(arms: Sequence[Arm], default: Arm) -> Card:
    first = arms[0]
    known = _known(first)
    needs = _sequence(first.card.get("needs"))
    return Card(
        name=first.method,
        summary=text(first.card.get("summary", "")),
        paper=first.paper,
        fidelity=first.fidelity,
        deviations=first.deviations,
        needs=", ".join(map(text, needs)) or ("nothing but replies" if first.card else ""),
        settings=tuple(_setting(name, known.get(name, {}), arms) for name in known or first.settings),
        arms=tuple(_arm(arm, known, default) for arm in arms),
        flagged=flagged(arms),
    )


def _arm(arm: Arm, known: Mapping[str, Mapping[str, Json]], default: Arm) -> ArmFacts:
    changes = tuple(
        Fact(name, f"{text(arm.settings[name])} (default {text(entry['default'])})")
        for name, entry in known.items()
        if name in arm.settings and arm.settings[name] != entry["default"]
    )
    tuning = tuned(arm.tuning) if arm.settings else ""
    keeps_defaults = bool(known) and not changes
    told = tuple(costs(arm, default)), tuple(facts(arm.diagnostics))
    return ArmFacts(arm.name, changes, keeps_defaults, tuning, *told)


def _setting(name: str, known: Mapping[str, Json], arms: Sequence[Arm]) -> Setting:
    default, unit, allowed, meaning, source = (
        text(known.get(key, "")) for key in ("default", "unit", "allowed", "meaning", "source")
    )
    return Setting(name, default, unit, allowed, meaning, source, _values(name, known, arms))


def _values(name: str, known: Mapping[str, Json], arms: Sequence[Arm]) -> str:
    """`10 in small, tiny; 300 in large`, or the value alone where all arms share it."""
    holders: dict[str, list[str]] = {}
    for arm in arms:
        if name in arm.settings and not (known and arm.settings[name] == known["default"]):
            holders.setdefault(text(arm.settings[name]), []).append(arm.name)
    if len(holders) == 1 and len(arms) == sum(map(len, holders.values())):
        return next(iter(holders))
    return "; ".join(f"{value} in {', '.join(names)}" for value, names in holders.items())


def _known(arm: Arm) -> dict[str, Mapping[str, Json]]:
    """What the card says of each setting, by name."""
    described = [entry for entry in _sequence(arm.card.get("settings")) if isinstance(entry, Mapping)]
    return {text(entry["name"]): entry for entry in described}


def _sequence(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
