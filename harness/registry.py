"""Every engine, and every model that needs no download, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.errors import unknown_name
from harness.base import Engine

CHECKPOINTS = Path(__file__).parent / "embedded" / "checkpoints"

MODELS: Mapping[str, Path] = {
    "embedded": CHECKPOINTS / "aligned",
    "embedded-base": CHECKPOINTS / "base",
}
"""Short names for `--model`; any other is a hub id or a folder."""


def _transformers() -> Engine:
    from harness.transformers_engine import TransformersEngine

    return TransformersEngine()


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "transformers": _transformers,
}


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        UserError: If there is none.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    return ENGINES[name]()
