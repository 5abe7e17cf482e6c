"""How published sets are put together to learn from: what stands in for one that is not there, what is left out."""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from benchmarks.attacks import NAMES, Wrapping, templates_of
from benchmarks.base import Benchmark
from benchmarks.published.sets import PUBLISHED
from benchmarks.sources import FOLDER, local_path

NEAR = 0.75
"""Share of the words of two questions that both have, from which on they are taken for one reworded."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Published sets, each with those that may stand in for it, and the templates that all are asked in."""

    parts: tuple[tuple[str, ...], ...]
    attack: str

    @property
    def chosen(self) -> tuple[str, ...]:
        """Of each part the first set that lies in the folder, or else the first that is on the hub."""
        return tuple(map(_chosen, self.parts))

    def notes(self, loaded: Sequence[Benchmark], wrapping: Wrapping) -> tuple[str, ...]:
        """What the data are made of, and what is not as usual."""
        return tuple(self._told(loaded, wrapping))

    def _told(self, loaded: Sequence[Benchmark], wrapping: Wrapping) -> Iterator[str]:
        count = len(templates_of(wrapping.attack))
        origin = f"'{wrapping.attack}'" if wrapping.attack in NAMES else "a file"
        sets = ", ".join(f"{part.name} ({len(part.prompts)} questions)" for part in loaded)
        how = "all" if wrapping.every else "one"
        yield f"made of {sets}; each question is there plainly and in {how} of the {count} templates of {origin}"
        for (first, *_), taken in zip(self.parts, self.chosen, strict=True):
            if taken != first:
                yield f"'{first}' is not in {FOLDER}: '{taken}' stands in for it"
        for part in loaded:
            if part.dropped:
                why = f"since tests in {FOLDER} ask them or nearly so"
                yield f"{part.dropped} questions of '{part.name}' are left out, {why}"


def kept_apart(benchmark: Benchmark, tests: Sequence[str]) -> Benchmark:
    """A set to learn from without what those tests ask that lie in the folder, in the same or nearly the same words.

    `dropped` counts what is left out.
    """
    there = [PUBLISHED[name] for name in tests if local_path(PUBLISHED[name].source)]
    asked = {
        _words(prompt.plain) for test in there for prompt in test.load(test.meaning, test.source, any_rows=True).prompts
    }
    kept = tuple(prompt for prompt in benchmark.prompts if not _is_among(asked, _words(prompt.plain)))
    return replace(benchmark, prompts=kept, dropped=len(benchmark.prompts) - len(kept))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def _is_among(asked: Set[frozenset[str]], words: frozenset[str]) -> bool:
    return any(len(words & other) >= NEAR * len(words | other) for other in asked)


def _chosen(names: Sequence[str]) -> str:
    sources = {name: PUBLISHED[name].source for name in names}
    local = [name for name in names if local_path(sources[name])]
    return (local or [name for name in names if sources[name].hub])[0]
