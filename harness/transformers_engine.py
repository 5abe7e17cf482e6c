"""The `transformers` engine: any decoder checkpoint with a chat template, for every method."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr
from io import StringIO
from logging import getLogger
from typing import Any, ClassVar

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel
from transformers.utils import logging

from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.checkpoints import Checkpoint, check_packages, open_checkpoint
from harness.devices import device_of, dtype_of
from harness.gguf_file import made_whole
from harness.loading_errors import reading
from harness.prompting import Prompting
from harness.template_facts import check_template
from harness.transformers_model import TransformersModel
from methods.base import Requirements


class TransformersEngine:
    """Loads checkpoints through `AutoModelForCausalLM`."""

    name: ClassVar[str] = "transformers"
    offers: ClassVar[Requirements] = Requirements(
        activations=True, gradients=True, weights=True, neurons=True, gradients_while_serving=True
    )

    def load(self, spec: ModelSpec) -> TransformersModel:
        """Load a model from a short name, a folder or the hub.

        Raises:
            UserError: If it cannot be found or read, its chat template is missing or fails, or a device, a dtype or a
                package is asked for that is not there.
        """
        logging.disable_progress_bar()  # the run has a display of its own
        check_packages(spec)
        device = device_of(spec.device)
        options = _options(spec, device)
        checkpoint = open_checkpoint(spec)
        prompting = Prompting(checkpoint.tokenizer, spec.system_prompt, spec.today, spec.control_tokens)
        check_template(spec.name, prompting)
        network = _network(spec, checkpoint, options)
        if "device_map" not in options:
            network.to(device)  # type: ignore[arg-type] # the stub lost the method's own argument
        return TransformersModel(spec.name, network, checkpoint.tokenizer, prompting)


def _options(spec: ModelSpec, device: torch.device) -> dict[str, Any]:
    """How the weights are read, beside where from."""
    options: dict[str, Any] = {"dtype": dtype_of(spec.dtype, device)}
    if spec.attention:
        options["attn_implementation"] = spec.attention
    if spec.quantize:
        options["quantization_config"] = _quantization(spec.quantize, options["dtype"])
    if spec.device_map or spec.quantize:  # a quantised model cannot be moved afterwards
        options["device_map"] = spec.device_map or {"": device}
    return options


def _quantization(kind: str, dtype: torch.dtype | str) -> BitsAndBytesConfig:
    if kind == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    computing = dtype if isinstance(dtype, torch.dtype) else torch.bfloat16
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=computing)


def _network(spec: ModelSpec, checkpoint: Checkpoint, options: dict[str, Any]) -> PreTrainedModel:
    """The network with all of its weights from the checkpoint, none of them from pickle."""
    with reading(spec), _quiet(), _without_bar(is_needed=checkpoint.gguf is not None):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            checkpoint.where,
            revision=spec.revision,
            trust_remote_code=spec.trust_remote_code,
            use_safetensors=None if checkpoint.gguf else True,
            gguf_file=checkpoint.gguf,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are told below, in one line
            **options,
        )
    network, report = loaded
    _check_weights(spec.name, report)
    assert isinstance(network, PreTrainedModel)
    return made_whole(network) if checkpoint.gguf else network


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' table of all weights that do not fit: the first of them is told in one line."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def _without_bar(*, is_needed: bool) -> Iterator[None]:
    """Hide the bar that transformers draws over the tensors of a GGUF file, however its progress bars are set."""
    with redirect_stderr(StringIO()) if is_needed else nullcontext():
        yield


def _check_weights(name: str, report: Mapping[str, Collection[Any]]) -> None:
    missing, other = sorted(report["missing_keys"]), sorted(report["mismatched_keys"])
    if missing:
        raise UserError(
            f"The weights of model '{name}' lack {len(missing)} that its config.json asks for, '{missing[0]}' "
            "first: they would be random. Give the whole checkpoint of a causal language model."
        )
    if other:
        first, there, wanted = other[0]
        raise UserError(
            f"{len(other)} weights of model '{name}' have another shape than its config.json asks for, '{first}' "
            f"first: {tuple(there)}, not {tuple(wanted)}. Give the config.json that belongs to them."
        )
    unused = sorted(report["unexpected_keys"])
    if unused:
        getLogger(__name__).warning(
            f"warning: the weights of model '{name}' hold {len(unused)} that its config.json does not ask for, "
            f"'{unused[0]}' first; they are left out."
        )
