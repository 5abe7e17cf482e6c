"""Every method that is built in, by name."""

from collections.abc import Mapping

from benchmarks.errors import unknown_name
from methods.base import Method
from methods.default import Default
from methods.neurontune.method import NeuronTune

METHODS: Mapping[str, type[Method]] = {
    "default": Default,
    "neurontune": NeuronTune,
}


def method_type(name: str) -> type[Method]:
    """The method of that name.

    Raises:
        UserError: If there is none.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]
