"""Run files: YAML whose keys are the flags' names."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.errors import UserError, unknown_name
from harness.arms import arm_from_yaml, parse_arms
from harness.relative_paths import rooted, rooted_paths
from harness.remote.address import is_url

_MODEL_KEYS = (
    "revision",
    "dtype",
    "device",
    "device_map",
    "quantize",
    "attention",
    "trust_remote_code",
    "system_prompt",
    "date",
    "control_tokens",
    "engine",
)
_KEYS = (
    "model",
    *_MODEL_KEYS,
    "methods",
    "benchmarks",
    "judge",
    "data",
    "limit",
    "batch_size",
    "generation",
    "max_new_tokens",
    "seed",
    "seeds",
    "output",
    "su_f1",
    "cluster",
    "cluster_address",
    "gpus_per_cell",
    "workers",
)
_WITH_PATHS = ("benchmarks", "data", "judge", "engine")
"""Keys whose names may hold paths."""
_INNER_KEYS = {
    "model": ("name", *_MODEL_KEYS),
    "generation": ("max_new_tokens",),
    "su_f1": ("low", "high"),
}


def read_config_file(path: Path) -> dict[str, Any]:
    """Values for `build_config`. Relative paths are taken from the file's folder; a model's must start with a dot.

    Raises:
        UserError: If the file is not there, is no YAML, or has a key that is unknown.
    """
    content = _load(path)
    _check_keys(path, "key", content, _KEYS)
    for outer, inner in _INNER_KEYS.items():
        if isinstance(content.get(outer), dict):
            _check_keys(path, f"key of '{outer}'", content[outer], inner)
    values = {key: value for key, value in content.items() if key not in ("model", "generation", "seed", "methods")}
    values |= _model(path, content.get("model")) | _mapping(path, "generation", content.get("generation"))
    if "seed" in content:
        values["seeds"] = content["seed"]
    if "su_f1" in content:
        values["su_f1"] = _mapping(path, "su_f1", content["su_f1"])
    if "methods" in content:
        values["methods"] = _methods(path, content["methods"])
    if "output" in content:
        output = os.path.expandvars(str(content["output"]))
        values["output"] = output if is_url(output) else rooted(output, path.parent)
    for key in _WITH_PATHS:
        if key in values:
            values[key] = _rooted(values[key], path.parent)
    return values


def _load(path: Path) -> dict[Any, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Run file '{path}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"Run file '{path}' is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"Run file '{path}' holds {type(content).__name__}; it must hold keys such as 'model:'.")
    return content


def _check_keys(path: Path, kind: str, content: Mapping[Any, Any], known: tuple[str, ...]) -> None:
    for key in content:
        if key not in known:
            raise UserError(f"{path}: {unknown_name(kind, str(key), known)}")


def _model(path: Path, model: object) -> dict[str, Any]:
    if model is None:
        return {}
    values = {"name": model} if isinstance(model, str) else dict(_mapping(path, "model", model))
    if "name" in values:
        name = os.path.expandvars(str(values.pop("name")))
        values["model"] = rooted(name, path.parent) if name.startswith(".") else name
    return values


def _rooted(value: object, folder: Path) -> object:
    """A name or a list of names with paths from the folder; what is neither is told where values are checked."""
    if isinstance(value, list):
        return [_rooted(one, folder) for one in value]
    return rooted_paths(value, folder) if isinstance(value, str) else value


def _mapping(path: Path, key: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: '{key}' is {value!r}; it must hold keys: {', '.join(_INNER_KEYS[key])}.")
    return dict(value)


def _methods(path: Path, entries: object) -> object:
    if isinstance(entries, str):
        return parse_arms(entries, path.parent)
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: 'methods' is {entries!r}; it must be a list of names.")
    return [arm_from_yaml(entry, str(path)) for entry in entries]
