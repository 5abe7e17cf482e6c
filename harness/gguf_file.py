"""Checkpoints that are one GGUF file: found, described, and read through `transformers` with whole weights.

The file holds configuration, tokenizer and chat template too. Its rounded weights are expanded once, when they are
read; from then on the model is like any other in that dtype, and methods may edit it.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SUFFIX = ".gguf"
EXTRA = 'pip install -e ".[gguf]"'
_PACKAGES = ("gguf", "accelerate")
_MAGIC = b"GGUF"


class GgufFacts(NamedTuple):
    """What a run's protocol keeps of the file."""

    name: str
    sha256: str
    quantisation: str
    """How its weights were rounded, as llama.cpp names it: `Q4_1`."""


def find_gguf(where: str) -> Path | None:
    """The GGUF file that a path names or a folder without a `config.json` holds; None where it is something else.

    Raises:
        UserError: If a folder holds several, the file is one of several parts, or it is no GGUF file.
    """
    path = Path(where)
    if path.is_dir():
        found = [] if (path / "config.json").exists() else sorted(path.glob(f"*{SUFFIX}"))
        if len(found) > 1:
            names = ", ".join(one.name for one in found)
            raise UserError(f"Model folder '{where}' holds {len(found)} GGUF files: {names}. Give the path of one.")
        path = found[0] if found else path
    if path.suffix.lower() != SUFFIX or not path.is_file():
        return None
    _check(path)
    return path


def check_gguf_packages(file: Path) -> None:
    """Refuse to read a GGUF file without the packages that read it.

    Raises:
        UserError: With the command that installs them.
    """
    lacking = [package for package in _PACKAGES if find_spec(package) is None]
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        raise UserError(f"'{file.name}' needs {' and '.join(lacking)}, which {verb} not installed: {EXTRA}.")


@cache  # a protocol is made once for every start of a run, and a large file takes seconds to hash
def gguf_facts(file: Path) -> GgufFacts:
    """Name, hash and rounding of a file."""
    from gguf import GGUFReader, LlamaFileType

    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    field = GGUFReader(file).get_field("general.file_type")
    kind = LlamaFileType(int(field.contents())).name if field else "not told"
    return GgufFacts(file.name, digest, kind.removeprefix("MOSTLY_").removeprefix("ALL_"))


def made_whole(network: "PreTrainedModel") -> "PreTrainedModel":
    """The same network without the mark of quantisation that reading a GGUF file leaves on it.

    Its weights are whole by then; with the mark, `save_pretrained` refuses, and methods are told that no weight can be
    edited.
    """
    loose: Any = network
    loose.hf_quantizer = None
    del loose.config.quantization_config
    return network


def _check(path: Path) -> None:
    with path.open("rb") as content:
        begin = content.read(len(_MAGIC))
    if begin != _MAGIC:
        raise UserError(
            f"'{path}' is no GGUF file: it begins with {begin!r}, not {_MAGIC!r}. Copy or download it again."
        )
    if "-of-" in path.stem:
        raise UserError(f"'{path}' is one of several parts. Join them first: llama-gguf-split --merge PART WHOLE.")
