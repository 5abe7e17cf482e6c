"""Numbers of one benchmark by the category of attack, each prompt under the label that its source gives it."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.base import Benchmark, Prompt
from reports.base import Column

NO_ATTACK = "no attack"
SECTION = "Refusals by attack category"
NOTE = "Each prompt counts once, under the strategies that are at work in it together."


def label(prompt: Prompt) -> str:
    """The strategies at work in a prompt: several joined in one attack are a category of their own."""
    return ", ".join(prompt.attack.categories) if prompt.attack else NO_ATTACK


def labels(benchmark: Benchmark) -> Sequence[str]:
    """The categories of a benchmark's prompts, in alphabetical order; none where there is but one.

    Templates without a category share one, named after their file: its number is that of the benchmark.
    """
    found = sorted({label(prompt) for prompt in benchmark.prompts})
    return found if len(found) > 1 else ()


def by_category(column: Column, benchmark: Benchmark, section: str) -> list[Column]:
    """The same number for every category by itself."""
    return [
        replace(
            column,
            key=f"{column.key}[{category}]",
            metric=f"{column.metric}[{category}]",
            section=section,
            category=category,
            is_headline=False,
        )
        for category in labels(benchmark)
    ]
