"""Every benchmark and every alignment set, by name."""

from collections.abc import Mapping

from benchmarks.base import AlignmentData, AlignmentLoader, Benchmark, BenchmarkLoader
from benchmarks.embedded import sets as embedded
from benchmarks.errors import find

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


def load_benchmark(name: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        UserError: If there is none.
    """
    return find("benchmark", name, BENCHMARKS)()


def load_alignment(name: str) -> AlignmentData:
    """The alignment data of that name.

    Raises:
        UserError: If there is none.
    """
    return find("alignment data", name, ALIGNMENT)()
