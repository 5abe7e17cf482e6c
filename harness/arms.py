"""Arms as a user writes them: `neurontune[safety_neurons=300]`, `both=scans[alpha=0.2]+./mine.py:Mine`, `scans@FOLDER`.

An arm is one method or several joined by `+`, each with settings in brackets; a label may stand before it, and after it
the folder of an `equipoise tune` whose settings it takes.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.brackets import parse_settings, split_outside_brackets
from benchmarks.errors import UserError, unknown_name
from benchmarks.plugins import PluginError, is_in_a_file
from harness.relative_paths import rooted, rooted_paths
from methods.registry import method_type

BASELINE = "default"
_ARM = r"(?:(?P<label>[^=\[@]+)=)?(?P<parts>.+?)(?:@(?P<tuned>[^\[\]@]+))?"
_PART = r"(?P<method>[^=\[\]@]+)(?:\[(?P<settings>.*)\])?"
_KEYS = ("name", "as", "settings", "tuned")


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """One row of the comparison to be: a method with settings under a label."""

    label: str
    """Also the name of its folders."""
    method: str
    """A name or `path/to/file.py:Class`, or several joined by `+`: the first is nearest to the model."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those of a chain have the names that `methods.chain` gives them: `{part}_{setting}`."""
    tuned: Path | None = None
    """Folder of an `equipoise tune`, whose settings count where none is given."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the run's model has of its own, which count where neither a user nor tuning gives any."""


def of_model(arm: ArmSpec, settings: Mapping[str, Mapping[str, Any]]) -> ArmSpec:
    """The arm with the settings that a model has of its own, by name of the method."""
    parts = arm.method.split("+")
    own = [settings.get(part, {}) for part in parts]
    return replace(arm, own=dict(own[0]) if len(parts) == 1 else _of_chain(parts, own))


def parse_arms(text: str, folder: Path = Path()) -> tuple[ArmSpec, ...]:
    """The arms of `--methods`: separated by commas outside brackets, an optional `label=` before each.

    Args:
        text: As on the command line.
        folder: Where its relative paths start.

    Raises:
        UserError: If the text has an empty part, an open bracket or a setting without a value.
    """
    return tuple(_parse_arm(part, folder) for part in split_outside_brackets(text))


def arm_from_yaml(entry: object, origin: str) -> ArmSpec:
    """The arm of one entry under `methods:`: as on the command line, or `{name, as, settings, tuned}`.

    Relative paths are taken from the folder of `origin`, the run file.

    Raises:
        UserError: If the entry is neither, or has a key that is unknown.
    """
    folder = Path(origin).parent
    if isinstance(entry, str):
        return _parse_arm(entry, folder)
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise UserError(f"{origin}: a method is {entry!r}; it must be a name, or have a 'name'.")
    for key in entry:
        if key not in _KEYS:
            raise UserError(f"{origin}: {unknown_name('key of a method', str(key), _KEYS)}")
    settings = entry.get("settings") or {}
    if not isinstance(settings, dict):
        raise UserError(f"{origin}: settings of '{entry['name']}' are {settings!r}; they must be names with values.")
    method = rooted_paths(entry["name"], folder)
    return make_arm(method, settings, str(entry.get("as") or ""), _tuned(entry.get("tuned"), folder))


def make_arm(method: str, settings: Mapping[str, Any], label: str = "", tuned: Path | None = None) -> ArmSpec:
    """An arm whose label is made of its method and settings where none is given.

    Raises:
        UserError: If the given label is no safe name for a folder.
    """
    slug = _slug(label or _default_label(method, settings, tuned))
    if label and label != slug:
        raise UserError(f"'{label}' cannot label an arm, since it names folders. '{slug}' would do.")
    if slug == BASELINE and (method != BASELINE or settings):
        raise UserError(f"The label '{BASELINE}' belongs to the model as it is. Give '{method}' another.")
    return ArmSpec(slug, method, dict(settings), tuned)


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


def _parse_arm(text: str, folder: Path) -> ArmSpec:
    arm = re.fullmatch(_ARM, text.strip(), re.DOTALL)
    parts = [re.fullmatch(_PART, part, re.DOTALL) for part in split_outside_brackets(arm["parts"], "+")] if arm else []
    found = [part for part in parts if part]
    if arm is None or len(found) < len(parts):
        raise UserError(
            f"'{text}' is no arm. Write method[setting=value] or several joined by '+'; label= may stand before, "
            "@FOLDER of tuned settings after."
        )
    methods = [rooted_paths(part["method"].strip(), folder) for part in found]
    settings = [parse_settings(part["settings"] or "", text) for part in found]
    joined = settings[0] if len(found) == 1 else _of_chain(methods, settings)
    return make_arm("+".join(methods), joined, (arm["label"] or "").strip(), _tuned(arm["tuned"], folder))


def _of_chain(methods: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of a chain's parts under the names that `methods.chain` gives them."""
    joined: dict[str, Any] = {}
    if any(settings):
        seen: Counter[str] = Counter()
        for method, own in zip(methods, settings, strict=True):
            name = _name(method)
            seen[name] += 1
            prefix = name if seen[name] == 1 else f"{name}{seen[name]}"
            joined |= {f"{prefix}_{setting}": value for setting, value in own.items()}
    return joined


def _name(method: str) -> str:
    """What a method calls itself. One that cannot be used fails when the run is planned, so any name does here."""
    if not is_in_a_file(method):
        return method
    try:
        return method_type(method).name
    except PluginError:
        return method


def _tuned(path: object, folder: Path) -> Path | None:
    return Path(rooted(str(path), folder)) if path else None


def _default_label(method: str, settings: Mapping[str, Any], tuned: Path | None) -> str:
    """Of `path/to/file.py:Class` the class alone."""
    short = "+".join(part.rpartition(":")[2] if is_in_a_file(part) else part for part in method.split("+"))
    return "-".join([short, *(f"{name}-{value}" for name, value in settings.items()), *(["tuned"] if tuned else [])])


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-._+")[:80] or "arm"
