"""Settings, costs and provenance as pairs of short texts, for every renderer."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.base import Json
from reports.base import Arm, Comparison


class Fact(NamedTuple):
    """A name and what it is."""

    name: str
    text: str


def facts(mapping: Mapping[str, Json]) -> list[Fact]:
    """One fact a leaf; names of nested mappings are joined by dots."""
    return list(_leaves(mapping, ""))


def text(value: Json) -> str:
    """A value as a reader would write it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def costs(arm: Arm, default: Arm) -> list[Fact]:
    """What the fit and each reply took, with units; what was not measured, or took nothing, is left out."""
    cost = arm.cost
    found = []
    if cost.get("seconds"):
        found.append(Fact("fit", f"{cost['seconds']:,.1f} s"))
    if cost.get("forward_equivalents"):
        found.append(Fact("forward passes", f"{cost['forward_equivalents']:,.0f}"))
    if cost.get("forward_equivalents_per_sample"):
        found.append(Fact("forward passes per sample", f"{cost['forward_equivalents_per_sample']:,.0f}"))
    if cost.get("peak_bytes"):
        found.append(Fact("peak memory", f"{cost['peak_bytes'] / 2**20:,.0f} MiB"))
    if cost.get("extra_tokens_per_reply"):
        found.append(Fact("extra tokens per reply", f"{cost['extra_tokens_per_reply']:,.1f}"))
    if cost.get("extra_passes_per_reply"):
        found.append(Fact("extra passes per reply", f"{cost['extra_passes_per_reply']:,.2f}"))
    if cost.get("tokens_per_second"):
        found.append(Fact("speed", _speed(cost["tokens_per_second"], default.cost.get("tokens_per_second"))))
    return found


def reproduction(comparison: Comparison) -> str:
    """The command that makes this comparison again, or empty where it was not recorded."""
    command = comparison.provenance.get("command", "")
    if isinstance(command, str):
        return command
    return " ".join(str(word) for word in command) if isinstance(command, (list, tuple)) else ""


def protocol(comparison: Comparison) -> list[Fact]:
    """What decides the numbers, but for the arms' settings: those stand with the arms."""
    return facts({name: value for name, value in comparison.protocol.items() if name != "arms"})


def environment(comparison: Comparison) -> list[Fact]:
    """Where the comparison was made; the command has its own place."""
    return [fact for fact in facts(comparison.provenance) if fact.name != "command"]


def _speed(tokens_per_second: float, of_default: float | None) -> str:
    relative = f" ({tokens_per_second / of_default:.2f} of default)" if of_default else ""
    return f"{tokens_per_second:,.1f} tokens/s{relative}"


def _leaves(mapping: Mapping[str, Json], prefix: str) -> Iterator[Fact]:
    for name, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield Fact(f"{prefix}{name}", text(value))
