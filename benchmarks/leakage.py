"""The guard between learning and testing: what a method may learn from or be tuned on is not asked in a test."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.base import AlignmentData, Benchmark
from benchmarks.columns import question_key
from benchmarks.errors import UserError


def without_learnt(benchmark: Benchmark, data: AlignmentData) -> Benchmark:
    """The benchmark without the questions that are in `data`, however they are disguised; `dropped` counts them.

    Raises:
        UserError: If none is left.
    """
    learnt = {question_key(prompt.plain) for prompt in (*data.train, *data.dev)}
    kept = tuple(prompt for prompt in benchmark.prompts if question_key(prompt.plain) not in learnt)
    dropped = len(benchmark.prompts) - len(kept)
    if dropped and not kept:
        raise UserError(
            f"All {dropped} questions of benchmark '{benchmark.name}' are in the alignment data '{data.name}'. "
            "Leave it out of --benchmarks, or choose other --data."
        )
    return replace(benchmark, prompts=kept, dropped=benchmark.dropped + dropped)


def shared_templates(benchmarks: Sequence[Benchmark], data: AlignmentData) -> tuple[str, ...]:
    """What to say of benchmarks that ask in attack templates which the data hold too: of those a fit is no stranger."""
    known = {prompt.attack for prompt in (*data.train, *data.dev) if prompt.attack}
    counts = {one.name: sum(prompt.attack in known for prompt in one.prompts) for one in benchmarks}
    return tuple(
        f"{count} prompts of benchmark '{name}' are in attack templates that methods learn from, with other questions"
        for name, count in counts.items()
        if count
    )
