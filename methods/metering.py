"""Measure what a fit costs: seconds, forward-pass equivalents and memory."""

import time
from dataclasses import dataclass, field

from methods.base import Cost
from methods.peak_memory import PeakMemory


@dataclass(slots=True)
class Meter:
    """Counts while a fit runs. One forward equivalent is one pass of one whole sequence through all blocks."""

    stages: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _memory: PeakMemory = field(default_factory=PeakMemory)

    def count(self, stage: str, forward_equivalents: float) -> None:
        """Add to a stage."""
        self.stages[stage] = self.stages.get(stage, 0.0) + forward_equivalents

    def cost(self) -> Cost:
        """What has been spent so far."""
        return Cost(
            seconds=time.monotonic() - self._started,
            forward_equivalents=sum(self.stages.values()),
            peak_bytes=self._memory.growth(),
            stages=dict(self.stages),
        )
