"""Named subsets: drawn by a rule that anybody can repeat, since papers seldom say which rows they took.

Prompts are sorted by their text, numbered from 0, and these numbers are shuffled by `random.Random(0)`. A subset is a
stretch of that order. So `advbench_anchors` is the first 64 and `advbench_456` all others, as in SCANS's loader, whose
own draw has no seed and cannot be repeated.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.base import Prompt
from benchmarks.errors import UserError


@dataclass(frozen=True, slots=True)
class Subset:
    """A stretch of the shuffled prompts of a set."""

    start: int
    stop: int
    of: int
    """How many prompts the set has."""

    @property
    def indices(self) -> tuple[int, ...]:
        """Places among the prompts sorted by text, ascending."""
        return tuple(sorted(random.Random(0).sample(range(self.of), self.of)[self.start : self.stop]))

    def taken(self, prompts: Sequence[Prompt], name: str) -> tuple[Prompt, ...]:
        """These prompts of a whole set. A set that is no larger than the subset is taken for the subset itself.

        Raises:
            UserError: If the set has another size, for which the subset is not defined.
        """
        if self.start == 0 and len(prompts) == self.stop:
            return tuple(prompts)
        if len(prompts) != self.of:
            raise UserError(f"Subset '{name}' is defined on {self.of:,} prompts; the source has {len(prompts):,}.")
        by_text = sorted(prompts, key=lambda prompt: prompt.messages[-1].content)
        return tuple(by_text[index] for index in self.indices)
