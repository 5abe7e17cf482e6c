"""What an artefact holds, read without executing anything: where two artefacts part, and what has no place in one."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_MEASURED = ("seconds", "bytes")
"""Ends of names whose numbers are measured, and so differ between two equal fits."""


def content(folder: Path, *, measured: bool = True) -> dict[str, str]:
    """Every value by where it lies: entries of JSON, digests of tensors, digests of whole files of any other kind.

    Args:
        folder: The artefact.
        measured: Whether to count in times and sizes of memory, which no two fits have in common.
    """
    found: dict[str, str] = {}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        for place, value in _read(path):
            if measured or not place.endswith(_MEASURED):
                found[f"'{place}' of {name}" if place else name] = value
    return found


def first_change(before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    """The first place that differs, in words."""
    for place in {**before, **after}:
        one, other = before.get(place, "absent"), after.get(place, "absent")
        if one != other:
            return f"{place} is {_short(other)}, was {_short(one)}"
    return None


def fault(folder: Path) -> str | None:
    """The first thing that an artefact must not hold, in words: a file of another kind, a number that is none."""
    for path in _files(folder):
        found = _FAULTS.get(path.suffix, _of_another_kind)(path)
        if found:
            return f"{path.relative_to(folder).as_posix()} {found}"
    return None


def mentioned(folder: Path, questions: Collection[str]) -> str | None:
    """The first of these texts that an artefact holds, as it is or as JSON escapes it."""
    whole = "\n".join(path.read_bytes().decode(errors="replace") for path in _files(folder))
    return next((text for text in questions if text in whole or json.dumps(text)[1:-1] in whole), None)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _read(path: Path) -> list[tuple[str, str]]:
    try:
        if path.suffix == ".json":
            return [(place, json.dumps(value)) for place, value in _leaves(json.loads(path.read_text("utf-8")))]
        if path.suffix == ".safetensors":
            return [(name, _digest(tensor)) for name, tensor in load_file(path).items()]
    except (ValueError, SafetensorError):
        pass  # not what its name says: `fault` tells, and here its bytes count
    return [("", hashlib.sha256(path.read_bytes()).hexdigest())]


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value


def _digest(tensor: Tensor) -> str:
    """Equal for equal type, shape and bits."""
    flat = tensor.contiguous().flatten().view(torch.uint8).numpy()
    return f"{tensor.dtype} {tuple(tensor.shape)} {hashlib.sha256(flat.tobytes()).hexdigest()[:12]}"


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."


def _of_another_kind(_: Path) -> str:
    return "is neither safetensors nor JSON"


def _fault_of_json(path: Path) -> str | None:
    try:
        json.loads(path.read_text("utf-8"), parse_constant=_refuse)
    except NotFinite as error:
        return f"holds {error}"
    except ValueError as error:
        return f"is no JSON: {error}"
    return None


def _fault_of_safetensors(path: Path) -> str | None:
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        return f"is no safetensors file: {error}"
    odd = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
    return f"holds numbers that are not finite in tensor '{odd}'" if odd else None


class NotFinite(Exception):
    """JSON has no such number, but Python reads it."""


def _refuse(constant: str) -> NoReturn:
    raise NotFinite(constant)


_FAULTS = {".json": _fault_of_json, ".safetensors": _fault_of_safetensors}
