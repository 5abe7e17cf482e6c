"""Every engine, by name: the built-in ones in a table, and those that come from outside."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from benchmarks.brackets import parse_settings
from benchmarks.errors import UserError
from benchmarks.plugins import Catalogue, factory_faults, make, member_faults
from harness.base import Engine
from methods.base import Requirements


def _transformers() -> Engine:
    """Any decoder checkpoint with a chat template, for every method."""
    from harness.transformers_engine import TransformersEngine

    return TransformersEngine()


def _vllm() -> Engine:
    """Replies at the speed of vLLM; arms that edit weights are folded in, the others act by hooks."""
    from harness.vllm_engine import VllmEngine, check_installed

    check_installed()
    return VllmEngine()


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "transformers": _transformers,
    "vllm": _vllm,
}


READERS = ("transformers", "vllm")
"""Engines that read checkpoints as Hugging Face keeps them; one from outside looks after its own models."""

PACKAGES: Mapping[str, str] = {"vllm": 'pip install -e ".[vllm]"'}
"""By package, how it is installed where a built-in engine of that name needs one that may be missing."""

CATALOGUE: Catalogue[Callable[..., Engine]] = Catalogue("engine", ENGINES, factory_faults)


@runtime_checkable
class Configurable(Protocol):
    """An engine with settings."""

    def configured(self, given: Mapping[str, Any]) -> Engine:
        """This engine with those settings."""


def plain_name(name: str) -> str:
    """Of an engine, without the settings in brackets after it."""
    return name.partition("[")[0]


def engine(name: str) -> Engine:
    """The engine of that name; `name[setting=value]` has settings.

    Raises:
        PluginError: If it comes from outside and cannot be used.
        UserError: If there is none, or it has no such setting.
    """
    plain = plain_name(name)
    found = make(CATALOGUE, plain, _faults)
    given = parse_settings(name[len(plain) :].removeprefix("[").removesuffix("]"), name)
    if not given:
        return found
    if not isinstance(found, Configurable):
        raise UserError(f"Engine '{plain}' has no settings, so '{next(iter(given))}' cannot be set.")
    return found.configured(given)


def _faults(made: object) -> list[str]:
    return member_faults(made, {"name": str, "offers": Requirements}, ["load"])
