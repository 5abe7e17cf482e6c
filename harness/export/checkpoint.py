"""A foldable arm as a checkpoint: the run's model with the arm's edit in its weights, read back and compared."""

import gc
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from benchmarks.base import Prompt
from benchmarks.errors import UserError
from benchmarks.registry import load_alignment
from harness.base import ModelSpec
from harness.control_tokens import KEPT
from harness.export.agreement import Agreement, agreement, said
from harness.export.chosen_arm import ChosenArm
from harness.export.new_folder import check_space
from harness.fingerprint import weights_hash
from harness.prompting import DATE
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel
from methods.base import Foldable
from methods.editing import edited

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import GenerationConfig, PreTrainedModel

PROMPTS = 8
"""Dev prompts that both are asked."""
TOLERANCE = 1e-4
"""Largest difference of logits in float32 that is rounding, as a share of the largest logit."""


class Written(NamedTuple):
    """What is known of a checkpoint once it is on the disk."""

    dtype: str
    weights: str
    """SHA-256 as in a run's protocol."""
    agreement: Agreement


def write_checkpoint(arm: ChosenArm, folder: Path, dtype: str | None) -> Written:
    """Fold an arm into the model of its run, write that, read it back and hold it against the arm.

    Args:
        arm: It must be foldable.
        folder: An empty one.
        dtype: Of the checkpoint's weights; None keeps the run's.

    Raises:
        UserError: If the model is not the run's, the edit cannot be kept in a checkpoint, or the checkpoint differs.
    """
    fitted = arm.fitted()
    assert isinstance(fitted, Foldable)
    model = run_model(arm.protocol)
    prompts = _prompts(arm.protocol)
    plain = said(model, prompts, tokens=1)  # only its logits are looked at
    with fitted.applied(model) as protected:
        wanted = said(protected, prompts)
    target = dtype or _dtype_name(model.dtype)
    _write(model, fitted, folder, target)
    del model, protected  # memory may not hold the model twice
    gc.collect()
    spec = replace(model_spec(arm.protocol), name=str(folder), revision=None, dtype=target)
    reloaded = TransformersEngine().load(spec)
    found = agreement(plain, wanted, said(reloaded, prompts))
    is_exact = target == _dtype_name_of(arm.protocol) == "float32"
    if is_exact and found.difference > TOLERANCE * max(1.0, found.largest):
        raise UserError(
            f"The folded weights of '{arm.label}' do not answer as the arm does: a logit differs by "
            f"{found.difference:.2g}. Method '{arm.method}' is at fault (see 'equipoise check'); nothing was written."
        )
    return Written(target, weights_hash(reloaded), found)


def run_model(protocol: Mapping[str, Any]) -> TransformersModel:
    """The very model of a run.

    Raises:
        UserError: If it cannot be loaded, or has other weights.
    """
    known = protocol["model"]
    if known.get("quantize"):
        raise UserError(
            f"The run had '{known['name']}' in {known['quantize']}, and what was fitted on rounded weights is no edit "
            "of whole ones. Run it without --quantize, or give --artefact to export what was fitted."
        )
    model = TransformersEngine().load(model_spec(protocol))
    weights = weights_hash(model)
    if weights != known["weights"]:
        raise UserError(
            f"Model '{known['name']}' has other weights than in the run (hash {weights[:12]} now, "
            f"{known['weights'][:12]} then), so the arm does not belong to it. Bring back the run's checkpoint."
        )
    return model


def model_spec(protocol: Mapping[str, Any]) -> ModelSpec:
    """What a run loaded, wherever it did so."""
    known = protocol["model"]
    return ModelSpec(
        known["name"],
        known["revision"],
        _dtype_name_of(protocol),
        attention=known.get("attention"),
        system_prompt=known.get("system_prompt"),
        today=date.fromisoformat(known["date"]) if "date" in known else DATE,
        control_tokens=known.get("control_tokens", KEPT),
    )


def _prompts(protocol: Mapping[str, Any]) -> tuple[Prompt, ...]:
    """From all over the dev split of what the run's methods learnt from."""
    dev = load_alignment(protocol["data"]["name"]).dev
    return dev[:: max(1, len(dev) // PROMPTS)][:PROMPTS]


def _write(model: TransformersModel, fitted: Foldable, folder: Path, dtype: str) -> None:
    """Weights, configuration, tokenizer and template."""
    import torch

    network = cast("PreTrainedModel", model.network)
    target: torch.dtype = getattr(torch, dtype)
    # The edit is made in the wider of both types, and so rounded at most once.
    network.to(torch.promote_types(model.dtype, target))  # type: ignore[arg-type] # the stub lost the argument
    edits = fitted.fold(network.state_dict(), model.blocks)
    _check_names(edits, network)
    with edited(network, edits):
        network.to(target)  # type: ignore[arg-type]
        check_space(folder, sum(one.numel() * one.element_size() for one in network.parameters()))
        with _set_aside(network) as published:
            network.save_pretrained(folder)
        published.to_json_file(folder / "generation_config.json")
    for weights in folder.glob("*.safetensors"):  # safetensors lets nobody else read what it writes
        shutil.copymode(folder / "config.json", weights)
    model.tokenizer.save_pretrained(folder)


def _check_names(edits: "Mapping[str, Tensor]", network: "PreTrainedModel") -> None:
    known = dict(network.named_parameters())
    strange = next((name for name in edits if name not in known), None)
    if strange is not None:
        raise UserError(
            f"The edit changes '{strange}', which is no weight of its own in this model (it may be tied to another), "
            "so no checkpoint can hold it. Give --artefact to export what was fitted."
        )


@contextmanager
def _set_aside(network: "PreTrainedModel") -> "Iterator[GenerationConfig]":
    """Keep the generation configuration as it was published: `save_pretrained` refuses many published ones."""
    from transformers import GenerationConfig

    published = network.generation_config or GenerationConfig()
    network.generation_config = GenerationConfig()
    try:
        yield published
    finally:
        network.generation_config = published


def _dtype_name_of(protocol: Mapping[str, Any]) -> str:
    return str(protocol["model"]["dtype"]).removeprefix("torch.")


def _dtype_name(dtype: "torch.dtype") -> str:
    return str(dtype).removeprefix("torch.")
