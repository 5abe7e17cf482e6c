"""Fitting an arm once: what it leaves behind is kept as an artefact, and a complete artefact is never made again."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.base import AlignmentData
from benchmarks.withholding import withheld
from harness.fingerprint import folder_hash
from harness.finite import NotFiniteError
from harness.integrity import NetworkState, check_untouched
from harness.seal import is_whole, sealed
from harness.storage import write_json, writing
from methods.base import ChatModel, Method, Progress

FACTS = "fit.json"
"""Written last into an artefact: its hash, cost and diagnostics."""


def read_facts(folder: Path) -> dict[str, Any] | None:
    """What is known of a complete artefact; None if there is none, or if its files are not what was written."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict) or is_whole(facts) is False:
        return None
    if facts.get("hash") != folder_hash(folder, without=FACTS):
        return None
    return facts


def fit_and_save(
    method: Method, model: ChatModel, data: AlignmentData, seed: int, folder: Path, progress: Progress
) -> None:
    """Fit with test prompts out of reach, and write the artefact so that it is there whole or not at all.

    Raises:
        IntegrityError: If the fit left something behind in the network.
        NotFiniteError: If the fit gave NaN or infinity.
        StorageError: If the disk refuses.
        WithheldError: If the method asked for test prompts.
    """
    before = NetworkState.of(model)
    with withheld(f"'{method.name}'", "fitted"):
        fitted = method.fit(model, data, seed, progress)
    check_untouched(before, model, method.name)
    cost, diagnostics = asdict(fitted.cost), dict(fitted.diagnostics())
    for step, number in _numbers({"cost": cost, "diagnostics": diagnostics}):
        if not math.isfinite(number):
            raise NotFiniteError(f"The fit of '{method.name}' gave {number} at {step}.")
    temporary = folder.with_name(folder.name + ".part")
    with writing(folder):
        _make_empty(temporary)
        fitted.save(temporary)
        _check_tensors(method.name, temporary)
        facts = {"hash": folder_hash(temporary, without=FACTS), "cost": cost, "diagnostics": diagnostics}
        write_json(temporary / FACTS, sealed(facts))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    """Every floating-point number in nested JSON, with where it lies."""
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from _numbers(inner, f"{path}[{index}]")


def _check_tensors(method: str, folder: Path) -> None:
    for path in sorted(folder.rglob("*.safetensors")):
        from safetensors.torch import load_file

        for name, tensor in load_file(path).items():
            if not tensor.isfinite().all():
                number = "NaN" if tensor.isnan().any() else "infinity"
                raise NotFiniteError(f"The fit of '{method}' gave {number} in tensor '{name}' of {path.name}.")
