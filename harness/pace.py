"""How fast an earlier run of the same model was: the only throughput that a plan may claim."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.base import Kind
from benchmarks.errors import UserError
from harness import ledger
from harness.config import RunConfig
from harness.plan import Cell, PlannedArm
from harness.run_folder import RunFolder


class FitCost(NamedTuple):
    """Of one fit, mean over seeds."""

    seconds: float
    forward_equivalents: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What one run took."""

    folder: Path
    hardware: str
    fits: Mapping[str, FitCost]
    """By `_identity` of the arm: another setting is another fit."""
    seconds_per_prompt: Mapping[Kind, float]
    """Mean over the replies of `default`, as long as they were there."""

    def fit(self, arm: PlannedArm) -> FitCost | None:
        """What this arm's fit took, if it was fitted there with the same settings."""
        return self.fits.get(_identity(arm.method.name, arm.settings))


def earlier_pace(config: RunConfig) -> Pace | None:
    """Of the newest run beside the output, or in it, with the same model, engine and length of replies."""
    headers = config.output.parent.glob("*/run.json")
    for path in sorted(headers, key=lambda header: header.stat().st_mtime, reverse=True):
        folder = RunFolder(path.parent)
        try:
            header = folder.header()
        except UserError:  # another program's, or another version's
            continue
        if _is_alike(header["protocol"], config):
            return Pace(
                folder.root, _hardware(header), dict(_fits(folder, header)), _seconds_per_prompt(folder, header)
            )
    return None


def _is_alike(protocol: Mapping[str, Any], config: RunConfig) -> bool:
    model = protocol["model"]
    there = (model["name"], model["revision"], model["engine"], protocol["generation"])
    return there == (config.model.name, config.model.revision, config.engine, asdict(config.generation))


def _hardware(header: Mapping[str, Any]) -> str:
    facts = header["provenance"]["hardware"]
    return str(facts.get("gpu") or f"{facts['machine']}, {facts['cores']} cores")


def _fits(folder: RunFolder, header: Mapping[str, Any]) -> Iterator[tuple[str, FitCost]]:
    try:
        costs = json.loads((folder.root / "costs.json").read_text(encoding="utf-8"))["arms"]
    except (OSError, ValueError):  # the run was stopped before it was judged
        return
    for label, arm in header["protocol"]["arms"].items():
        if costs.get(label, {}).get("seconds") is not None:
            cost = FitCost(costs[label]["seconds"], costs[label]["forward_equivalents"])
            yield _identity(arm["method"], arm["settings"]), cost


def _seconds_per_prompt(folder: RunFolder, header: Mapping[str, Any]) -> dict[Kind, float]:
    baseline = header["arms"][0]
    seconds: dict[Kind, list[float]] = {}
    for name, facts in header["protocol"]["benchmarks"].items():
        records = ledger.read(folder.replies(Cell(baseline["name"], baseline["seeds"][0], name))).records
        if records:
            kind = folder.benchmark(name, facts["hash"]).kind
            seconds.setdefault(kind, []).extend(float(record["seconds"]) for record in records.values())
    return {kind: fmean(measured) for kind, measured in seconds.items()}


def _identity(method: str, settings: Mapping[str, Any]) -> str:
    return json.dumps([method, settings], sort_keys=True, default=str)
