"""The protocol of a run: everything that decides its numbers, and how one protocol differs from another."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.errors import UserError
from harness.config import RunConfig
from harness.control_tokens import control_token_counts
from harness.decoding import decoding_facts
from harness.fingerprint import template_hash, weights_hash
from harness.gguf_file import find_gguf, gguf_facts
from harness.models import whereabouts
from harness.plan import Plan
from harness.provenance import here, maker
from harness.registry import READERS, plain_name
from harness.serving import learner
from methods.base import ChatModel

Protocol = dict[str, Any]
_WIDTH = 70
_OF_USERS = ("arms", "benchmarks", "tuning")


def make_protocol(config: RunConfig, plan: Plan, model: ChatModel) -> Protocol:
    """What a rerun must share to go on with these replies.

    The batch size is no part of it: it may shrink under way, and rows of a batch do not influence each other beyond
    floating-point rounding. The judge is, since it decides numbers; `equipoise report RUN --judge` tries another.
    """
    asked = {benchmark.name: benchmark.prompts for benchmark in plan.benchmarks}
    controls = control_token_counts(getattr(learner(model), "tokenizer", None), asked)
    protocol = {
        "model": {
            "name": config.model.name,
            "revision": config.model.revision,
            "engine": config.engine,
            "dtype": str(model.dtype),
            "device": model.device.type,
            "quantize": config.model.quantize,
            "attention": config.model.attention,
            "system_prompt": config.model.system_prompt,
            "date": config.model.today.isoformat(),
            "gguf": _gguf(config),
            "control_tokens": config.model.control_tokens,
            **decoding_facts(model.network),
            "weights": weights_hash(model),
            "template": template_hash(model),
        },
        "arms": {
            arm.label: {"method": arm.method.name, "settings": arm.settings} | ({"code": arm.code} if arm.code else {})
            for arm in plan.arms
        },
        "benchmarks": {
            benchmark.name: {
                "revision": benchmark.revision,
                "hash": benchmark.content_hash,
                "prompts": len(benchmark.prompts),
                "of": plan.sizes[benchmark.name],
            }
            | ({"dropped": benchmark.dropped} if benchmark.dropped else {})
            | ({"with_control_tokens": controls[benchmark.name]} if benchmark.name in controls else {})
            for benchmark in plan.benchmarks
        },
        "data": {"name": plan.data.name, "hash": plan.data.content_hash, "notes": list(plan.data.notes)},
        "generation": asdict(config.generation),
        "judge": config.judge,
        "seeds": list(config.seeds),
        "su_f1": asdict(config.bounds),
    }
    plain: Protocol = json.loads(json.dumps(protocol))
    return plain


def _gguf(config: RunConfig) -> dict[str, str] | None:
    """The file that the model was read from, where it is one; an engine from outside looks after its own models."""
    file = find_gguf(whereabouts(config.model.name)) if plain_name(config.engine) in READERS else None
    return gguf_facts(file)._asdict() if file else None


def check_same(folder: str, header: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to mix replies that were made under two protocols.

    Args:
        folder: Where they are.
        header: With their `protocol` and `provenance`.
        new: The protocol of now.

    Raises:
        UserError: With one line for each thing that changed; with one line alone where another version of this program
            wrote down other things.
    """
    old = header["protocol"]
    if _entries(old) != _entries(new):
        raise UserError(
            f"The replies in '{folder}' were made by {maker(header['provenance'])}, whose protocol has other entries "
            f"than that of {here()}. Choose another --output, or go on with that version."
        )
    changes = list(differences(old, new))
    if changes:
        raise UserError(
            f"The replies in '{folder}' were made under another protocol:\n"
            + "".join(f"  {change}\n" for change in changes)
            + "Choose another --output, or give the old values to go on with this run."
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """`key: old -> new` for every leaf that differs, keys of nested mappings joined by dots."""
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}: {_shown(before)} -> {_shown(after)}"


def _entries(protocol: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Names of all that a version writes down; arms and benchmarks are a user's to name."""
    fixed = {name: value for name, value in protocol.items() if name not in _OF_USERS and isinstance(value, Mapping)}
    return {(name,) for name in protocol} | {(name, key) for name, value in fixed.items() for key in value}


class _Absent:
    """Stands for a key that one side lacks; None is a value."""


_ABSENT = _Absent()


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
