"""Whether a class has the structure of a method: asked of outside code when it is loaded, and of all by the kit."""

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping, Sequence

from benchmarks.plugins import check_sound, member_faults, outside
from benchmarks.withholding import withheld
from methods.base import Fidelity, Method, Requirements
from methods.cards import card
from methods.settings import Setting

_MEMBERS: Mapping[str, type] = {
    "name": str,
    "paper": str,
    "fidelity": Fidelity,
    "deviations": tuple,
    "needs": Requirements,
    "is_seeded": bool,
    "settings_type": type,
    "neutral": Mapping,
    "small": Mapping,
}
_KNOWN = {field.name for field in dataclasses.fields(Setting)} - {"name", "default"}
"""Of every setting."""
_PARAMETERS: Mapping[str, Sequence[str]] = {
    "__init__": ("self", "settings"),
    "check": ("self", "model", "data"),
    "fit": ("self", "model", "data", "seed", "progress"),
    "load": ("folder",),
}


def faults(kind: object) -> list[str]:
    """What keeps `kind` from being a `methods.base.Method`, one clause each; empty if nothing does.

    Members and signatures are looked at and nothing is run, so a class may have the structure and still be wrong.
    """
    if not isinstance(kind, type):
        return [f"it is {type(kind).__name__}, not a class"]
    found = member_faults(kind, _MEMBERS, _PARAMETERS)
    for name, wanted in _PARAMETERS.items():
        found += _signature_faults(kind, name, wanted)
    members = {name: getattr(kind, name, None) for name in _MEMBERS}
    if isinstance(members["name"], str) and not re.fullmatch(r"[A-Za-z0-9_.+-]+", members["name"]):
        found.append(f"its name {members['name']!r} is not made of letters, digits, '_', '.' and '-'")
    if isinstance(members["deviations"], tuple) and not all(isinstance(one, str) for one in members["deviations"]):
        found.append("its 'deviations' are not sentences")
    if isinstance(members["settings_type"], type):
        found += _settings_faults(members["settings_type"])
    return found


def made(kind: type[Method], settings: object) -> Method:
    """A method with these settings.

    Raises:
        PluginError: If its constructor fails or does not keep them, or if its card is none that a run can keep.
    """
    origin = f"Method '{kind.name}'"
    with outside(origin, "made"), withheld(origin, "made"):
        method = kind(settings)
        json.dumps(card(kind), allow_nan=False)
    is_kept = getattr(method, "settings", None) == settings
    check_sound(origin, [] if is_kept else ["its 'settings' are not those that it was made with"])
    return method


def _signature_faults(kind: type, name: str, wanted: Sequence[str]) -> list[str]:
    """Parameters beyond what is wanted must have defaults."""
    if not hasattr(kind, name):
        return []  # told among the members that it lacks
    function = getattr(kind, name)
    if not callable(function):
        return [f"its '{name}' is {type(function).__name__}, not a function"]
    parameters = inspect.signature(function).parameters.values()
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    if needed == list(wanted):
        return []
    return [f"'{name}' has parameters ({', '.join(needed)}) where ({', '.join(wanted)}) is needed"]


def _settings_faults(settings_type: type) -> list[str]:
    if not dataclasses.is_dataclass(settings_type) or not _is_frozen(settings_type):
        return [f"its settings_type '{settings_type.__name__}' is no frozen dataclass"]
    plain = [field.name for field in dataclasses.fields(settings_type) if set(field.metadata) != _KNOWN]
    return [f"its setting '{name}' is not made with methods.settings.setting" for name in plain]


def _is_frozen(settings_type: type) -> bool:
    parameters = getattr(settings_type, "__dataclass_params__", None)
    return parameters is not None and parameters.frozen is True
