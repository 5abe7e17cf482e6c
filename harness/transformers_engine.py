"""The `transformers` engine: any decoder checkpoint with a chat template, for every method."""

from pathlib import Path
from typing import ClassVar

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from benchmarks.errors import UserError, unknown_name
from harness.base import ModelSpec
from harness.models import MODELS
from harness.transformers_model import TransformersModel
from methods.base import Requirements

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TransformersEngine:
    """Loads checkpoints through `AutoModelForCausalLM`."""

    name: ClassVar[str] = "transformers"
    offers: ClassVar[Requirements] = Requirements(activations=True, gradients=True, weights=True, neurons=True)

    def load(self, spec: ModelSpec) -> TransformersModel:
        """Load a model from a short name, a folder or the hub.

        Raises:
            UserError: If it cannot be found, has no chat template, or asks for a device or dtype that is not there.
        """
        _check_name(spec.name)
        logging.disable_progress_bar()  # the run has a display of its own
        device = _device(spec.device)
        dtype = _dtype(spec.dtype, device)
        where = str(MODELS.get(spec.name, spec.name))
        try:
            tokenizer = AutoTokenizer.from_pretrained(where, revision=spec.revision)
            network = AutoModelForCausalLM.from_pretrained(where, revision=spec.revision, dtype=dtype)
        except (OSError, ValueError) as error:
            raise _not_loadable(spec.name, error) from error
        _check_chat_template(spec.name, tokenizer)
        network.to(device)  # type: ignore[arg-type] # the stub lost the method's own argument
        return TransformersModel(spec.name, network, tokenizer)


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UserError(f"'{wanted}' is no device. Use 'auto', 'cpu', 'cuda' or 'cuda:0'.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"Device '{wanted}' was asked for, but torch sees no GPU. Use '--device cpu'.")
    return device


def _dtype(wanted: str, device: torch.device) -> torch.dtype | str:
    """`auto` is the checkpoint's own type on a GPU and float32 on a CPU, where half precision gains little."""
    if wanted == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    if wanted not in _DTYPES:
        raise UserError(f"'{wanted}' is no dtype. Use 'auto', {', '.join(map(repr, _DTYPES))}.")
    return _DTYPES[wanted]


def _check_name(name: str) -> None:
    """Refuse at once what can be no model, before the hub is asked."""
    if name not in MODELS and not Path(name).is_dir() and name.count("/") != 1:
        raise UserError(f"{unknown_name('model', name, MODELS)} Or give a folder, or a hub id like 'org/name'.")


def _not_loadable(name: str, error: Exception) -> UserError:
    first_line = str(error).strip().splitlines()[0]
    return UserError(f"Model '{name}' could not be loaded: {first_line}")


def _check_chat_template(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.chat_template:
        raise UserError(
            f"Model '{name}' has no chat template, so prompts cannot be built as it was trained on them. "
            "Use the chat or instruct version of the checkpoint, or add 'chat_template' to its tokenizer."
        )
