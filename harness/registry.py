"""Every engine, by name: the built-in ones in a table, and those that come from outside."""

from collections.abc import Callable, Mapping

from benchmarks.plugins import Catalogue, factory_faults, make, member_faults
from harness.base import Engine
from methods.base import Requirements


def _transformers() -> Engine:
    from harness.transformers_engine import TransformersEngine

    return TransformersEngine()


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "transformers": _transformers,
}


CATALOGUE: Catalogue[Callable[[], Engine]] = Catalogue("engine", ENGINES, factory_faults)


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        PluginError: If it comes from outside and cannot be used.
        UserError: If there is none.
    """
    return make(CATALOGUE, name, _faults)


def _faults(made: object) -> list[str]:
    return member_faults(made, {"name": str, "offers": Requirements}, ["load"])
