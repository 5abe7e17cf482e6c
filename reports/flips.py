"""The replies of two arms to the same prompts whose verdicts differ."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.base import Comparison, Sample


@dataclass(frozen=True, slots=True)
class Flip:
    """One prompt that the second arm answered otherwise."""

    before: Sample
    after: Sample

    @property
    def change(self) -> str:
        """`complied -> refused`."""
        return f"{self.before.verdict} -> {self.after.verdict}"


@dataclass(frozen=True, slots=True)
class Flips:
    """Of one benchmark."""

    benchmark: str
    pairs: int
    """Replies that were held against each other."""
    flips: tuple[Flip, ...]

    @property
    def became(self) -> Mapping[str, int]:
        """How many became what, by the new verdict."""
        return Counter(str(flip.after.verdict) for flip in self.flips)


def find_flips(comparison: Comparison) -> list[Flips]:
    """By benchmark, in the order of the prompts. A reply of an arm without chance stands beside every seed's."""
    names = [arm.name for arm in comparison.arms]
    sides = [_by_prompt(comparison, name) for name in names]
    found = []
    for benchmark in dict.fromkeys(sample.benchmark for sample in comparison.samples):
        pairs = [
            pair
            for place, before in sides[0].items()
            if place[0] == benchmark
            for pair in _paired(before, sides[-1].get(place, ()))
        ]
        flips = tuple(pair for pair in pairs if pair.before.verdict != pair.after.verdict)
        found.append(Flips(benchmark, len(pairs), flips))
    return found


def _by_prompt(comparison: Comparison, arm: str) -> Mapping[tuple[str, str], Sequence[Sample]]:
    """Samples of one arm, by benchmark and prompt, in the order of their seeds."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in comparison.samples:
        if sample.arm == arm:
            found[sample.benchmark, sample.prompt_id].append(sample)
    return {place: sorted(samples, key=lambda sample: sample.seed) for place, samples in found.items()}


def _paired(before: Sequence[Sample], after: Sequence[Sample]) -> list[Flip]:
    count = max(len(before), len(after)) if before and after else 0
    return [Flip(before[seed % len(before)], after[seed % len(after)]) for seed in range(count)]
