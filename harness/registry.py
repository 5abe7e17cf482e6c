"""Every engine, by name."""

from collections.abc import Callable, Mapping

from benchmarks.errors import find
from harness.base import Engine


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
    return find("engine", name, ENGINES)()
