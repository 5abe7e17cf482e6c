"""Every method, by name: the built-in ones in a table, and those that come from outside."""

from collections.abc import Mapping

from benchmarks.plugins import Available, Catalogue
from methods.base import Method
from methods.cavgan.method import Cavgan
from methods.chain import chain
from methods.contract import faults
from methods.default import Default
from methods.dinm.method import Dinm
from methods.neurontune.method import NeuronTune
from methods.refusal_direction.method import RefusalDirection
from methods.safety_prompt import SafetyPrompt
from methods.scans.method import Scans

METHODS: Mapping[str, type[Method]] = {
    "cavgan": Cavgan,
    "default": Default,
    "dinm": Dinm,
    "neurontune": NeuronTune,
    "refusal_direction": RefusalDirection,
    "safety_prompt": SafetyPrompt,
    "scans": Scans,
}


CATALOGUE: Catalogue[type[Method]] = Catalogue("method", METHODS, faults)


def method_type(name: str) -> type[Method]:
    """The method of that name, an entry point or `path/to/file.py:Class`; `a+b` is both, applied in that order.

    Raises:
        PluginError: If it comes from outside and cannot be used.
        UserError: If there is none.
    """
    if "+" in name:
        return chain([method_type(part.strip()) for part in name.split("+")])
    return CATALOGUE.find(name)


def available() -> Available[type[Method]]:
    """All methods that have a name, and what is wrong with those that cannot be used."""
    return CATALOGUE.available()
