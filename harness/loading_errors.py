"""Why a model could not be loaded, in one line with the way out. Hugging Face's own errors run over many."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.errors import UserError, describe
from benchmarks.hub_errors import hub_fault, kinds_of, without_safetensors
from harness.base import ModelSpec

_LONGEST = 300
"""Characters of somebody else's message."""


@contextmanager
def reading(spec: ModelSpec, part: str = "") -> Iterator[None]:
    """Turn whatever is raised over the files of a model into one line.

    Args:
        spec: Of the model.
        part: What is read, where it is not the whole: configuration or tokenizer.

    Raises:
        UserError: As `not_loadable` tells it.
    """
    try:
        yield
    except UserError:
        raise
    # As broad as in benchmarks/plugins.py: what a folder holds passes through transformers, which checks little, and
    # where that is allowed through code of the checkpoint's own.
    except (Exception, SystemExit) as error:
        raise not_loadable(spec, error, part) from error


def not_loadable(spec: ModelSpec, error: BaseException, part: str = "") -> UserError:
    """The error for a model, or a part of it, that transformers could not load."""
    fault = hub_fault(spec.name, spec.revision, error)
    if fault:
        return UserError(fault)
    name = f"Model '{spec.name}'"
    if "OutOfMemoryError" in kinds_of(error):
        return UserError(
            f"{name} does not fit into the memory of '{spec.device}'. Try --dtype bfloat16, --quantize 4bit or "
            "--device-map auto."
        )
    return UserError(_told(spec, name, error, part))


def _told(spec: ModelSpec, name: str, error: BaseException, part: str) -> str:
    """What the text of an error says of the files."""
    text = " ".join(str(error).split())
    if "trust_remote_code" in text and not spec.trust_remote_code:
        return f"{name} needs code that comes with it. Read that, then allow it with --trust-remote-code."
    if "safetensors" in text and "does not appear to have" in text:
        return without_safetensors(spec.name, spec.revision)
    unknown = re.search(r"model type `([^`]*)` but Transformers does not recognize", text)
    if unknown:
        from transformers import __version__

        return (
            f"{name} is of type '{unknown[1]}', which transformers {__version__} does not know. Take another model, or "
            "update it: pip install --upgrade transformers."
        )
    lost = re.search(r"does not appear to have a file named (\S+?)\.? ", text)
    if lost:
        return f"{name} lacks the file '{lost[1]}'. Copy or download it again."
    if spec.attention and re.search("attn_implementation|FlashAttention", text):
        return f"{name} cannot be loaded with --attention {spec.attention}: {_sentence(text)}. Use sdpa or eager."
    if "instantiate the backend tokenizer" in text:
        return (
            f"The tokenizer of {_lower(name)} lacks its vocabulary, such as tokenizer.json or tokenizer.model. Copy or "
            "download it again; one of an old kind may need: pip install sentencepiece tiktoken."
        )
    reason = text if isinstance(error, (OSError, ValueError, ImportError)) and text else describe(error)
    reason = reason[:_LONGEST].rstrip(".")
    if not part:
        return f"{name} could not be loaded: {reason}."
    own_code = "Its own code may need other packages, or another version of transformers."
    way_out = own_code if spec.trust_remote_code else "Copy or download it again."
    return f"The {part} of {_lower(name)} cannot be read: {reason}. {way_out}"


def _sentence(text: str) -> str:
    return re.split(r"\. |\.$", text)[0][:_LONGEST]


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
