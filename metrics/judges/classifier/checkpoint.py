"""A sequence classifier from a folder or the hub: safetensors alone, and no code of its own."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.checkpoint_folder import check_folder
from benchmarks.errors import UserError, describe
from benchmarks.hub_errors import hub_fault, without_safetensors
from metrics.judges.classifier.labels import refusing_labels
from metrics.judges.classifier.settings import ClassifierSettings

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_LONGEST = 300
"""Characters of somebody else's message."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A network, its tokenizer, and what its labels mean."""

    network: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    device: "torch.device"
    names: dict[int, str]
    refused: tuple[int, ...]
    reads: int
    """Tokens, special ones included, that fit into its positions."""

    @property
    def content_hash(self) -> str:
        """SHA-256 over every tensor by name, and over the tokenizer."""
        import torch

        digest = hashlib.sha256(self.tokenizer.backend_tokenizer.to_str().encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()


def check_place(settings: ClassifierSettings, owner: str) -> bool:
    """Whether the model is a whole folder on this disk; if not it has to come from the hub.

    Raises:
        UserError: If it can be neither.
    """
    name = settings.model
    if not name:
        raise UserError(f"Judge '{owner}' needs a model: {owner}[model=FOLDER_OR_ID].")
    if Path(name).is_dir():
        if settings.revision:
            raise UserError(f"Judge '{owner}': '{name}' lies on this disk and has but one revision. Leave it out.")
        check_folder(Path(name))
        return True
    if Path(name).exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UserError(f"Judge '{owner}': there is no model folder '{name}'. Give one, or a hub id like 'org/name'.")
    return False


def read_labels(settings: ClassifierSettings, owner: str) -> tuple[dict[int, str], tuple[int, ...]]:
    """All labels, and those that mean a refusal, from the configuration alone.

    Raises:
        UserError: If it cannot be read, or its labels do not say what was asked.
    """
    from transformers import AutoConfig

    check_place(settings, owner)
    with _reading(settings, owner):
        config = AutoConfig.from_pretrained(settings.model, revision=settings.revision or None, trust_remote_code=False)
    return _labels(config, settings, owner)


def check_device(settings: ClassifierSettings, owner: str) -> "torch.device":
    """Where the classifier is to run.

    Raises:
        UserError: If nothing can be put there.
    """
    import torch

    wanted = settings.device
    try:
        device = torch.device(wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without that device
        raise UserError(f"Judge '{owner}': device '{wanted}' cannot be used. Say auto, cpu, cuda or cuda:0.") from error
    return device


def load_classifier(settings: ClassifierSettings, owner: str) -> Classifier:
    """The whole of it, in float32 and ready to be asked.

    Raises:
        UserError: If it cannot be had or read, has weights as pickle alone, has no trained head, or its labels do not
            say what was asked.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    names, refused = read_labels(settings, owner)
    device = check_device(settings, owner)
    where: dict[str, Any] = {"revision": settings.revision or None, "trust_remote_code": False}
    with _reading(settings, owner), _quiet():
        tokenizer = AutoTokenizer.from_pretrained(settings.model, **where)
        network, facts = AutoModelForSequenceClassification.from_pretrained(
            settings.model, **where, use_safetensors=True, dtype="float32", output_loading_info=True
        )
        network = network.to(device).eval()
    _check_whole(settings, owner, sorted(map(str, (*facts["missing_keys"], *facts["mismatched_keys"]))), tokenizer)
    return Classifier(network, tokenizer, device, names, refused, _positions(network, tokenizer))


def _labels(
    config: "PretrainedConfig", settings: ClassifierSettings, owner: str
) -> tuple[dict[int, str], tuple[int, ...]]:
    labels: dict[int, str] = getattr(config, "id2label", None) or {}
    names = {int(number): str(name) for number, name in sorted(labels.items())}
    if getattr(config, "problem_type", None) == "multi_label_classification":
        raise UserError(
            f"Judge '{owner}': model '{settings.model}' gives several labels to one text. Give a classifier that "
            "chooses one."
        )
    return names, refusing_labels(settings.refused, names, owner, settings.model)


def _check_whole(
    settings: ClassifierSettings, owner: str, missing: list[str], tokenizer: "PreTrainedTokenizerBase"
) -> None:
    if missing:
        raise UserError(
            f"Judge '{owner}': model '{settings.model}' lacks the weights '{missing[0]}', so that it is no trained "
            "classifier. Give one that was trained and saved as such."
        )
    if not tokenizer.is_fast:
        raise UserError(f"Judge '{owner}': model '{settings.model}' has no tokenizer.json. Save its fast tokenizer.")


def _positions(network: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """RoBERTa numbers positions from behind that of padding, so that its table holds two more than can be read."""
    from torch import nn

    limits: list[int] = [tokenizer.model_max_length, getattr(network.config, "max_position_embeddings", None) or 10**9]
    for name, part in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, nn.Embedding):
            limits.append(part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1))
    return min(limits)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a bar, and without transformers' table of weights that do not fit: the first is told in one line."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def _reading(settings: ClassifierSettings, owner: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    # As broad as in harness/loading_errors.py: what a folder holds passes through transformers, which checks little.
    except Exception as error:
        raise UserError(f"Judge '{owner}': {_told(settings, error)}") from error


def _told(settings: ClassifierSettings, error: Exception) -> str:
    fault = hub_fault(settings.model, settings.revision, error)
    if fault:
        return fault
    name, text = f"Model '{settings.model}'", " ".join(str(error).split())
    if "trust_remote_code" in text:
        return f"{name} needs code that comes with it, which no judge runs. Give another classifier."
    if "safetensors" in text and "does not appear to have" in text:
        return without_safetensors(settings.model, settings.revision)
    return f"{name} could not be loaded as a sequence classifier: {describe(error)[:_LONGEST].rstrip('.')}."
