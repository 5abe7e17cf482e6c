"""Why the hub did not give a model, in one line with the way out. Its own errors run over many."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.checkpoint_folder import has_pickles, pickled, unfinished

HUB = "https://huggingface.co"


def hub_fault(name: str, revision: str | None, error: BaseException) -> str | None:
    """What keeps the hub's model of that name from being had; None where the error is of another kind."""
    from huggingface_hub import errors

    kinds = kinds_of(error)
    subject = f"Model '{name}'"
    if errors.GatedRepoError.__name__ in kinds:
        return f"{subject} is gated. Accept its licence at {HUB}/{name} and set HF_TOKEN to a token of that account."
    if errors.RevisionNotFoundError.__name__ in kinds:
        return f"{subject} has no revision '{revision}'. {HUB}/{name}/commits lists them."
    if errors.RepositoryNotFoundError.__name__ in kinds:
        return (
            f"{subject} is neither a folder here nor on the hub, or it is private. Check the name; for a private one "
            "set HF_TOKEN."
        )
    if kinds & {errors.LocalEntryNotFoundError.__name__, "ConnectionError"}:
        return f"{subject} is not in the cache, and {_unreachable()}"
    return None


def without_safetensors(name: str, revision: str | None) -> str:
    """Why transformers finds no safetensors of the hub's model: a download not finished looks like pickle alone."""
    from huggingface_hub import constants, try_to_load_from_cache

    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    folder = Path(cached).parent if isinstance(cached, str) else None
    part, subject = unfinished(folder) if folder else "", f"Model '{name}'"
    if part:
        return f"{subject} lies in the cache as an unfinished download ({part}). Repeat it: hf download {name}."
    if folder and constants.HF_HUB_OFFLINE and not has_pickles(folder):
        return f"{subject} lies in the cache without its weights, and {_unreachable()}"
    return pickled(subject, "no safetensors there")


def kinds_of(error: BaseException) -> set[str]:
    """Names of the classes of an error, and of what it came of."""
    return {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}


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
