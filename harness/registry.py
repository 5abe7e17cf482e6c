"""Every engine, by name."""

from collections.abc import Callable, Mapping

from benchmarks.errors import unknown_name
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
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    return ENGINES[name]()
