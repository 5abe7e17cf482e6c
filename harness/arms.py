"""Arms as a user writes them: `neurontune`, `neurontune[pinpointing=random]`, `many=neurontune[safety_neurons=300]`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from benchmarks.errors import UserError, unknown_name

BASELINE = "default"
_ARM = r"(?:(?P<label>[^=\[]+)=)?(?P<method>[^=\[]+)(?:\[(?P<settings>.*)\])?"


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """One row of the comparison to be: a method with settings under a label."""

    label: str
    """Also the name of its folders."""
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def parse_arms(text: str) -> tuple[ArmSpec, ...]:
    """The arms of `--methods`: separated by commas outside brackets, an optional `label=` before each.

    Raises:
        UserError: If the text has an empty part, an open bracket or a setting without a value.
    """
    return tuple(_parse_arm(part) for part in split_outside_brackets(text))


def arm_from_yaml(entry: object, origin: str) -> ArmSpec:
    """The arm of one entry under `methods:`: a name as on the command line, or `{name, as, settings}`.

    Raises:
        UserError: If the entry is neither, or has a key that is unknown.
    """
    if isinstance(entry, str):
        return _parse_arm(entry)
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise UserError(f"{origin}: a method is {entry!r}; it must be a name, or have a 'name'.")
    for key in entry:
        if key not in ("name", "as", "settings"):
            raise UserError(f"{origin}: {unknown_name('key of a method', str(key), ('name', 'as', 'settings'))}")
    settings = entry.get("settings") or {}
    if not isinstance(settings, dict):
        raise UserError(f"{origin}: settings of '{entry['name']}' are {settings!r}; they must be names with values.")
    return make_arm(entry["name"], settings, str(entry.get("as") or ""))


def make_arm(method: str, settings: Mapping[str, Any], label: str = "") -> ArmSpec:
    """An arm whose label is made of its method and settings where none is given.

    Raises:
        UserError: If the given label is no safe name for a folder.
    """
    slug = _slug(label or "-".join([method, *(f"{name}-{value}" for name, value in settings.items())]))
    if label and label != slug:
        raise UserError(f"'{label}' cannot label an arm, since it names folders. '{slug}' would do.")
    if slug == BASELINE and (method != BASELINE or settings):
        raise UserError(f"The label '{BASELINE}' belongs to the model as it is. Give '{method}' another.")
    return ArmSpec(slug, method, dict(settings))


def with_baseline(arms: Sequence[ArmSpec]) -> tuple[ArmSpec, ...]:
    """The same arms, `default` first, whether it was named or not.

    Raises:
        UserError: If two arms share a label.
    """
    others = tuple(arm for arm in arms if arm.label != BASELINE)
    seen: set[str] = set()
    for arm in others:
        if arm.label.lower() in seen:
            raise UserError(
                f"Two arms are labelled '{arm.label}'. Give one another label: --methods 'other={arm.method}[...]'."
            )
        seen.add(arm.label.lower())
    return (ArmSpec(BASELINE, BASELINE), *others)


def split_outside_brackets(text: str) -> list[str]:
    """Parts between commas that no bracket encloses.

    Raises:
        UserError: If a bracket has no partner, or a part is empty.
    """
    parts, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth < 0:
            break
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise UserError(f"'{text}' has a bracket without its partner. Write name[setting=value,setting=value].")
    stripped = [part.strip() for part in parts]
    if not all(stripped):
        raise UserError(f"'{text}' has an empty part. Write names with single commas between them.")
    return stripped


def _parse_arm(text: str) -> ArmSpec:
    match = re.fullmatch(_ARM, text.strip(), re.DOTALL)
    if match is None:
        raise UserError(f"'{text}' is no arm. Write method, method[setting=value] or label=method[setting=value].")
    inside = (match["settings"] or "").strip()
    settings = dict(_parse_setting(part, text) for part in split_outside_brackets(inside)) if inside else {}
    return make_arm(match["method"].strip(), settings, (match["label"] or "").strip())


def _parse_setting(text: str, arm: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise UserError(f"'{text}' in '{arm}' is no setting. Write [setting=value].")
    return name.strip(), scalar(value)


def scalar(text: str) -> Any:  # noqa: ANN401 - whatever YAML makes of it
    """A value as YAML reads it, and a number such as `1e-3` as everybody reads it.

    Raises:
        UserError: If it is no YAML.
    """
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", text.strip()):
        return float(text)  # YAML 1.1 takes 1e-3 for a text, since it has no dot
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"'{text}' cannot be read as a value. Quote it, as in YAML.") from error


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80] or "arm"
