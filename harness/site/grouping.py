"""Which runs may stand in one ranking, and what keeps others apart."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.errors import UserError
from harness.control_tokens import KEPT
from harness.protocol import differences
from harness.site.collect import Reading

SHORT = 8
"""Signs of a hash that a reader sees."""


def conditions(reading: Reading) -> dict[str, Any]:
    """What must agree for a fair ranking: the model and all that is said to it, how it answers, and who reads it.

    A model is its weights: one that lies in a folder is that of the hub. Device and attention kernel round differently
    and decide nothing else. Arms and seeds may differ; so may where and when a run was made.
    """
    protocol = reading.evidence.header["protocol"]
    model = protocol["model"]
    same = ("dtype", "quantize", "template", "system_prompt", "date")
    return {
        "model": {"weights": model.get("weights") or [model["name"], model.get("revision")]}
        | {"engine": _plain(model.get("engine"))}
        | {name: model.get(name) for name in same}
        | {"control_tokens": model.get("control_tokens", KEPT)},  # earlier versions could do nothing else
        "benchmarks": {
            name: {"prompts": facts["prompts"], "hash": facts["hash"]}
            for name, facts in sorted(protocol["benchmarks"].items())
        },
        "generation": protocol["generation"],
        "data": {name: value for name, value in (protocol.get("data") or {}).items() if name != "notes"},
        "judge": reading.judge,
        "su_f1": protocol["su_f1"],
    }


def groups(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    """Runs by the key of their conditions, in their order."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(_key(conditions(reading)), []).append(reading)
    return found


def require_one(readings: Sequence[Reading]) -> None:
    """Refuse runs that would make several groups.

    Raises:
        UserError: With one line for each thing in which a run differs from the first.
    """
    first, *others = readings
    lines = [
        f"  {change} ('{first.name}' -> '{other.name}')\n"
        for other in others
        for change in differences(conditions(first), conditions(other))
    ]
    if lines:
        raise UserError(
            f"These runs make {len(groups(readings))} groups that cannot be ranked together:\n{''.join(lines)}"
            "Leave out --one-group to get a ranking for each, or give runs that differ in arms and seeds alone."
        )


def in_words(reading: Reading) -> dict[str, str]:
    """The conditions of a run for readers, by name."""
    protocol = reading.evidence.header["protocol"]
    model, data = protocol["model"], protocol.get("data") or {}
    bounds = protocol["su_f1"]
    told = {
        "Model": f"{model['name']}{_hashed('weights', model.get('weights'))}",
        "Engine": _plain(model.get("engine")),
        "Precision": " ".join(filter(None, (str(model.get("dtype") or ""), model.get("quantize")))),
        "Template": f"{str(model.get('template') or '')[:SHORT]}",
        "Date told to the template": model.get("date"),
        "System prompt": model.get("system_prompt") or "none",
        "Benchmarks": ", ".join(_benchmarks(protocol["benchmarks"])),
        "Generation": ", ".join(f"{name} {value}" for name, value in protocol["generation"].items()),
        "Methods learn from": f"{data.get('name', '')}{_hashed('content', data.get('hash'))}",
        "Judge": reading.judge,
        "SU-F1 bounds": f"{bounds['low']:g} and {bounds['high']:g} bits",
    }
    return {name: str(value) for name, value in told.items() if value}


def differing(told: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Of every group the conditions that not all groups share, by the group's key."""
    names = dict.fromkeys(name for one in told.values() for name in one)
    apart = [name for name in names if len({one.get(name) for one in told.values()}) > 1]
    return {key: {name: one.get(name, "not recorded") for name in apart} for key, one in told.items()}


def _benchmarks(described: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, facts in sorted(described.items()):
        yield f"{name} ({facts['prompts']} prompts, content {facts['hash'][:SHORT]})"


def _hashed(what: str, value: object) -> str:
    return f" ({what} {str(value)[:SHORT]})" if value else ""


def _plain(engine: str | None) -> str | None:
    """Without its settings, which are about memory and speed."""
    return engine.partition("[")[0] if engine else None


def _key(described: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:SHORT]
