"""Every benchmark and every alignment set, by name: built-in ones in tables; benchmarks may come from outside."""

import re
from collections.abc import Mapping

from benchmarks.base import AlignmentData, AlignmentLoader, Benchmark, BenchmarkLoader
from benchmarks.embedded import sets as embedded
from benchmarks.errors import find
from benchmarks.plugins import Available, Catalogue, factory_faults, make
from benchmarks.withholding import refuse_if_withheld

BENCHMARKS: Mapping[str, BenchmarkLoader] = {
    "embedded_attacked": embedded.attacked,
    "embedded_held_out": embedded.held_out,
    "embedded_harmful": embedded.harmful,
    "embedded_benign": embedded.benign,
    "embedded_benign_attacked": embedded.benign_attacked,
    "embedded_borderline": embedded.borderline,
    "embedded_facts": embedded.knowledge,
}

ALIGNMENT: Mapping[str, AlignmentLoader] = {
    "embedded": embedded.alignment,
}

PAIRINGS: tuple[tuple[str, str], ...] = (("embedded_attacked", "embedded_benign"),)
"""Harmful and benign benchmarks that make one SU-F1 together, as SafeEdit and Alpaca do in NeuronTune's table 2."""


CATALOGUE: Catalogue[BenchmarkLoader] = Catalogue("benchmark", BENCHMARKS, factory_faults)


def load_benchmark(name: str) -> Benchmark:
    """The benchmark of that name, an entry point or what `path/to/file.py:function` gives.

    Raises:
        PluginError: If it comes from outside and cannot be used.
        UserError: If there is none.
        WithheldError: If a method asks while it might learn from it.
    """
    refuse_if_withheld(name)
    return make(CATALOGUE, name, _faults)


def available() -> Available[BenchmarkLoader]:
    """All benchmarks that have a name, and what is wrong with those that cannot be used."""
    return CATALOGUE.available()


def _faults(made: object) -> list[str]:
    """Its name becomes the name of files."""
    if not isinstance(made, Benchmark):
        return [f"it gave {type(made).__name__}, not a Benchmark"]
    return [] if re.fullmatch(r"\w[\w.-]*", made.name) else [f"its name {made.name!r} cannot be that of a file"]


def load_alignment(name: str) -> AlignmentData:
    """The alignment data of that name.

    Raises:
        UserError: If there is none.
    """
    return find("alignment data", name, ALIGNMENT)()
