"""A checkpoint before its weights are read: configuration and tokenizer, from a short name, a folder or the hub."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.checkpoint_folder import check_folder, with_adapter
from benchmarks.errors import UserError, unknown_name
from harness.base import ModelSpec
from harness.gguf_file import SUFFIX, check_gguf_packages, find_gguf
from harness.loading_errors import reading
from harness.models import MODELS, whereabouts

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


_CAUSAL = "AutoModelForCausalLM"
_SILENT = ("ForMaskedLM", "Classification", "ForQuestionAnswering", "RewardModel")
"""Ends of the names of architectures that judge a text and write none, though they may load as if they did."""


class Checkpoint(NamedTuple):
    """All of a model but its weights."""

    where: str
    """Folder or hub id."""
    gguf: str | None
    """Name of the GGUF file in that folder, where all of the model is one."""
    config: "PretrainedConfig"
    tokenizer: "PreTrainedTokenizerBase"


def open_checkpoint(spec: ModelSpec) -> Checkpoint:
    """Read configuration and tokenizer; of a hub model nothing else is downloaded.

    Raises:
        UserError: If it cannot be found or read, is no decoder, or its tokenizer is another model's.
    """
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils.peft_utils import find_adapter_config_file

    where, gguf = _place(spec)
    options = {"revision": spec.revision, "trust_remote_code": spec.trust_remote_code, "gguf_file": gguf}
    with reading(spec, "configuration"):
        if find_adapter_config_file(where, revision=spec.revision):  # on the hub
            raise UserError(with_adapter(f"Model '{spec.name}'"))
        config = AutoConfig.from_pretrained(where, **options)
    _check_kind(spec.name, config)
    with reading(spec, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(where, **options)
    _check_vocabulary(spec.name, config, tokenizer)
    return Checkpoint(where, gguf, config, tokenizer)


def check_packages(spec: ModelSpec) -> None:
    """Refuse a way of loading whose package is not installed.

    Raises:
        UserError: Naming it.
    """
    wanted = {"bitsandbytes": ("--quantize", spec.quantize), "accelerate": ("--device-map", spec.device_map)}
    if spec.quantize:
        wanted["accelerate"] = wanted["bitsandbytes"]
    for package, (flag, value) in wanted.items():
        if value and find_spec(package) is None:
            raise UserError(f"{flag} {value} needs {package}, which is not installed: pip install {package}.")


def _place(spec: ModelSpec) -> tuple[str, str | None]:
    """Folder or hub id, and the name of the GGUF file where the model is one."""
    _check_name(spec)
    where = whereabouts(spec.name)
    file = find_gguf(where)
    if file:
        check_gguf_packages(file)
        return str(file.parent), file.name
    if Path(where).is_dir():
        check_folder(Path(where))
    return where, None


def _check_name(spec: ModelSpec) -> None:
    """Refuse at once what can be no model, before the hub is asked."""
    name = spec.name
    if name in MODELS or Path(name).is_dir() or (name.lower().endswith(SUFFIX) and Path(name).is_file()):
        if spec.revision:
            raise UserError(
                f"--revision {spec.revision} cannot be used: '{name}' lies on this disk and has but one. Leave it out, "
                "or give the model's id on the hub."
            )
        return
    if Path(name).is_file():
        raise UserError(f"'{name}' is a file. Give a GGUF file, or the folder that save_pretrained has written.")
    if name.startswith((".", "/", "~")):
        raise UserError(f"There is no model folder '{name}'.")
    if name.count("/") != 1:
        raise UserError(f"{unknown_name('model', name, MODELS)} Or give a folder, or a hub id like 'org/name'.")


def _check_kind(name: str, config: "PretrainedConfig") -> None:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if getattr(config, "is_encoder_decoder", False):
        raise UserError(
            f"Model '{name}' is an encoder with a decoder ({config.model_type}). Give a decoder, such as Llama or Qwen."
        )
    other = next((kind for kind in config.architectures or () if kind.endswith(_SILENT)), None)
    if other:
        raise UserError(f"Model '{name}' is a {other}, which writes no replies. Give a causal language model.")
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING and _CAUSAL not in (getattr(config, "auto_map", None) or {}):
        raise UserError(
            f"Model '{name}' is of type '{config.model_type}', of which transformers has no causal language model. "
            "Give a decoder, such as Llama or Qwen."
        )


def _check_vocabulary(name: str, config: "PretrainedConfig", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Tokens that transformers adds to a tokenizer of a family are no concern: a template that lacks them is fine."""
    words = getattr(config.get_text_config(), "vocab_size", None)
    if words is not None and tokenizer.vocab_size > words:
        raise UserError(
            f"The tokenizer of model '{name}' has {tokenizer.vocab_size:,} tokens, the model {words:,}: they do not "
            "belong together. Give the tokenizer that the model was trained with."
        )
