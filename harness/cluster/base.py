"""What a run on a cluster is asked for, and the pieces of work it is cut into: plain data that travels to workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.errors import UserError, unknown_name
from harness import values

CLUSTERS = ("ray",)
_ONLY_WITH = ("cluster_address", "gpus_per_cell", "workers")


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """Where the cells of a run are worked on."""

    address: str | None = None
    """Of a cluster that runs already; None: one of this machine's own, started for the run."""
    gpus_per_cell: float | None = None
    """None: one where there are any."""
    workers: int | None = None
    """The most at once; None: as many as GPUs or, without them, cores allow."""


class Task(NamedTuple):
    """The fit of an arm with a seed or, with a benchmark, one cell."""

    arm: str
    seed: int
    benchmark: str | None = None

    def __str__(self) -> str:
        return f"{self.arm}, seed {self.seed}, {self.benchmark or 'its fit'}"


def build_cluster(given: Mapping[str, Any]) -> ClusterSpec | None:
    """The cluster that flags or keys ask for; None for a run in this process.

    Raises:
        UserError: If a value cannot be used, or is given without `cluster`.
    """
    if "cluster" not in given:
        for name in _ONLY_WITH:
            if name in given:
                raise UserError(f"--{name.replace('_', '-')} is given without --cluster. Add --cluster ray.")
        return None
    cluster = values.text("cluster", given["cluster"])
    if cluster not in CLUSTERS:
        raise unknown_name("cluster", cluster, CLUSTERS)
    return ClusterSpec(
        address=values.text("cluster address", given["cluster_address"]) if "cluster_address" in given else None,
        gpus_per_cell=_gpus(given["gpus_per_cell"]) if "gpus_per_cell" in given else None,
        workers=values.whole_number("workers", given["workers"], low=1) if "workers" in given else None,
    )


def _gpus(value: object) -> float:
    """As Ray counts them: a share of one, or whole ones."""
    number = values.real_number("gpus per cell", value)
    if number < 0 or (number > 1 and number != int(number)):
        raise UserError(f"gpus per cell is {value!r}; it must be a share of one GPU, or a whole number from 0.")
    return number
