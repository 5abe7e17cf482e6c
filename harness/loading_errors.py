"""Why a model could not be loaded, in one line with the way out. Hugging Face's own errors run over many."""

from collections.abc import Iterator

from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.checkpoint_folder import pickled

_HUB = "https://huggingface.co"


def not_loadable(spec: ModelSpec, error: BaseException) -> UserError:
    """The error for a model that transformers could not load."""
    from huggingface_hub import errors

    kinds = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    text = " ".join(str(error).split())
    name = f"Model '{spec.name}'"
    if errors.GatedRepoError.__name__ in kinds:
        return UserError(
            f"{name} is gated. Accept its licence at {_HUB}/{spec.name} and set HF_TOKEN to a token of that account."
        )
    if errors.RevisionNotFoundError.__name__ in kinds:
        return UserError(f"{name} has no revision '{spec.revision}'. {_HUB}/{spec.name}/commits lists them.")
    if errors.RepositoryNotFoundError.__name__ in kinds:
        return UserError(
            f"{name} is neither a folder here nor on the hub, or it is private. Check the name; for a private one set "
            "HF_TOKEN."
        )
    if kinds & {errors.LocalEntryNotFoundError.__name__, "ConnectionError"}:
        return UserError(f"{name} is not in the cache, and {_unreachable()}")
    if "trust_remote_code" in text:
        return UserError(f"{name} needs code that comes with it. Read that, then allow it with --trust-remote-code.")
    if "OutOfMemoryError" in kinds:
        return UserError(
            f"{name} does not fit into the memory of '{spec.device}'. Try --dtype bfloat16, --quantize 4bit or "
            "--device-map auto."
        )
    if "safetensors" in text and "does not appear to have" in text:
        return UserError(pickled(name, "no safetensors there"))
    return UserError(f"{name} could not be loaded: {text[:300]}")


def _unreachable() -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids to ask the hub. Unset it, or give a folder."
    return "the hub cannot be reached. Download it where there is a network, or give a folder."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came of."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
