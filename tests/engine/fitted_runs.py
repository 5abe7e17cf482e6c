"""Runs on tiny checkpoints that hold nothing but fitted arms, and what is asked of the checkpoints made from them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.base import ModelSpec
from harness.config import build_config
from harness.conformance.material import alignment
from harness.export.command import export
from harness.fitting import fit_and_save
from harness.plan import make_plan
from harness.protocol import make_protocol
from harness.run_folder import RunFolder
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel
from methods.registry import METHODS
from tests.engine.tiny_checkpoints import saved


def load(folder: Path, dtype: str = "float32") -> TransformersModel:
    return TransformersEngine().load(ModelSpec(str(folder), dtype=dtype, device="cpu"))


def small(name: str) -> str:
    """The method, or the chain of methods, with small settings, as one of `--methods`; its name is its label."""
    parts = [
        f"{part}[{','.join(f'{key}={value}' for key, value in METHODS[part].small.items())}]".removesuffix("[]")
        for part in name.split("+")
    ]
    return f"{name}={'+'.join(parts)}"


def fitted_run(root: Path, family: str, *names: str) -> Path:
    """A run folder on a tiny checkpoint of that family, with nothing in it but the arms' artefacts."""
    base = saved(family, root / "base")
    config = build_config({
        "model": str(base), "methods": ",".join(map(small, names)), "benchmarks": ["embedded_benign"], "limit": "1",
        "data": "embedded", "judge": "keyword", "device": "cpu", "output": str(root / "run"),
    })  # fmt: skip
    plan, model, folder = make_plan(config), load(base), RunFolder(config.output)
    arms_json = [
        {"name": arm.label, "method": arm.method.name, "paper": arm.method.paper, "fidelity": arm.method.fidelity,
         "deviations": arm.method.deviations, "settings": arm.settings, "seeds": arm.seeds}
        for arm in plan.arms
    ]  # fmt: skip
    folder.begin(make_protocol(config, plan, model), arms_json, plan.benchmarks, {"git_hash": None})
    for arm in plan.arms:
        fit_and_save(arm.method, model, alignment(), 0, folder.artefact(arm.label, 0), lambda *_: None)
    return folder.root


def exported(run: Path, arm: str, dtype: str | None = None) -> Path:
    output = run.parent / f"{arm}-{dtype}"
    export(RunFolder(run), arm, None, output, dtype, as_artefact=False)
    return output


def logits(network: Any, ids: tuple[int, ...]) -> Tensor:  # noqa: ANN401
    with torch.no_grad():
        found: Tensor = network(input_ids=torch.tensor([ids])).logits[0]
    return found
