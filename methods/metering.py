"""Measure what a fit costs: seconds, forward-pass equivalents and memory."""

import resource
import time
from dataclasses import dataclass, field

import torch

from methods.base import Cost


@dataclass(slots=True)
class Meter:
    """Counts while a fit runs. One forward equivalent is one pass of one whole sequence through all blocks."""

    stages: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _resident_before: int = field(default_factory=lambda: _peak_resident_bytes())

    def __post_init__(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def count(self, stage: str, forward_equivalents: float) -> None:
        """Add to a stage."""
        self.stages[stage] = self.stages.get(stage, 0.0) + forward_equivalents

    def cost(self) -> Cost:
        """What has been spent so far."""
        peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        return Cost(
            seconds=time.monotonic() - self._started,
            forward_equivalents=sum(self.stages.values()),
            peak_bytes=peak or _peak_resident_bytes() - self._resident_before,
            stages=dict(self.stages),
        )


def _peak_resident_bytes() -> int:
    """The most memory this process has held so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
