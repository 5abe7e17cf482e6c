"""Hashes of what decides a reply: the weights, the chat template with its tokenizer, a fitted artefact."""

import hashlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.base import Intent, Message, Prompt, Split
from methods.base import ChatModel

if TYPE_CHECKING:
    from torch import Tensor

_PROBES = (
    (Message("user", "Hello, who are you?"),),
    (Message("user", "One"), Message("assistant", "Two"), Message("user", "Three?")),
)


def weights_hash(model: ChatModel) -> str:
    """SHA-256 over every tensor of the network, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def tensor_hash(tensor: "Tensor") -> str:
    """SHA-256 of type, shape and content."""
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(_bytes(tensor))
    return digest.hexdigest()


def source_hash(kind: type) -> str:
    """SHA-256 of the file that a class is written in."""
    return hashlib.sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest()


def template_hash(model: ChatModel) -> str:
    """SHA-256 over the token ids of fixed conversations: it changes with the template and with the tokenizer."""
    ids = [model.encode(_probe(messages)).ids for messages in _PROBES]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def folder_hash(folder: Path, without: str) -> str:
    """SHA-256 over names and contents of all files but `without`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != without:
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _bytes(tensor: "Tensor") -> memoryview:
    import torch

    flat = tensor.detach().cpu().contiguous().flatten()
    return memoryview(flat.view(torch.uint8).numpy().data)


def _probe(messages: tuple[Message, ...]) -> Prompt:
    question = messages[-1].content
    return Prompt("probe", messages, Intent.BENIGN, "probe", question, "probe", Split.TEST)
