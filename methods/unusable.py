"""The stand-in for a method from outside that cannot be used, so that its arm fails and the others go on."""

from typing import NoReturn

from benchmarks.plugins import PluginError
from methods.base import Method
from methods.default import Default, DefaultSettings


class Unusable(Default):
    """A method that was named and cannot be used."""


def unusable(name: str, reason: PluginError) -> Method:
    """A method of that name whose fit fails for `reason`, which is also what its card says."""

    def fail(*_: object) -> NoReturn:
        raise reason

    members = {"name": name, "__doc__": str(reason), "paper": "unknown", "fit": fail, "load": staticmethod(fail)}
    kind: type[Unusable] = type("Unusable", (Unusable,), members)
    return kind(DefaultSettings())
