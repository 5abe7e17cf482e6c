"""Every method that is built in, by name."""

from collections.abc import Mapping

from benchmarks.errors import find
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
    return find("method", name, METHODS)
