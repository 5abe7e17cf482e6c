"""Measure how the embedded model behaves on its test prompts, and write its card.

    python -m harness.embedded.measure

The card lies beside the checkpoints: how they were made, their hashes, and what they do.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from benchmarks.base import Benchmark, Kind, Prompt, Reply
from benchmarks.registry import BENCHMARKS, load_benchmark
from harness.base import ModelSpec
from harness.embedded.train import COURSES
from harness.models import CHECKPOINTS
from harness.registry import engine
from methods.base import ChatModel, GenerationSettings
from metrics.base import Estimate, Exchange
from metrics.registry import judge, metric

MAX_NEW_TOKENS = 96
_MODELS = {"embedded": "aligned", "embedded-base": "base"}
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a model does on one benchmark."""

    numbers: Mapping[str, Estimate]
    """By metric."""
    distinct_replies: int
    shortest_words: int
    longest_words: int


def behaviour(model: ChatModel, benchmark: Benchmark) -> Behaviour:
    """Answer a benchmark and measure the replies, judged by the grammar."""
    by_length = sorted(benchmark.prompts, key=lambda prompt: len(prompt.messages[-1].content))
    batches = [tuple(by_length[start : start + _BATCH]) for start in range(0, len(by_length), _BATCH)]
    replies = [pair for batch in batches for pair in zip(batch, _answers(model, benchmark, batch), strict=True)]
    names = ("accuracy",) if benchmark.kind is Kind.MULTIPLE_CHOICE else ("refusal_rate", "entropy", "degenerate_rate")
    judgements = judge("grammar").judge(replies) if benchmark.kind is Kind.GENERATION else [None] * len(replies)
    exchanges = [Exchange(*pair, judgement) for pair, judgement in zip(replies, judgements, strict=True)]
    words = [len(reply.text.split()) for _, reply in replies]
    return Behaviour(
        {name: _estimate(name, exchanges) for name in names},
        len({reply.text for _, reply in replies}),
        min(words),
        max(words),
    )


def main() -> None:
    """Measure both checkpoints and write `README.md` beside them."""
    rows = []
    for name in _MODELS:
        model = engine("transformers").load(ModelSpec(name))
        for benchmark in map(load_benchmark, BENCHMARKS):
            row = f"| {name} | {benchmark.title} | {_told(benchmark, behaviour(model, benchmark))} |"
            typer.echo(row)
            rows.append(row)
    (CHECKPOINTS / "README.md").write_text(_card(rows), encoding="utf-8")


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a checkpoint's weights file."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def _answers(model: ChatModel, benchmark: Benchmark, prompts: tuple[Prompt, ...]) -> list[Reply]:
    if benchmark.kind is Kind.GENERATION:
        return model.generate(prompts, GenerationSettings(MAX_NEW_TOKENS))
    letters = [
        [chr(ord("A") + index) for index in range(len(prompt.choices.options))] for prompt in prompts if prompt.choices
    ]
    rows = model.log_probabilities(prompts, letters)
    return [
        Reply(prompt.id, "", option_log_probabilities=tuple(float(option.sum()) for option in row))
        for prompt, row in zip(prompts, rows, strict=True)
    ]


def _estimate(name: str, exchanges: list[Exchange]) -> Estimate:
    scores = [metric(name).score(exchange).value for exchange in exchanges]
    return metric(name).estimate(np.array([scores], dtype=float))


def _told(benchmark: Benchmark, found: Behaviour) -> str:
    def percent(estimate: Estimate) -> str:
        return f"{100 * (estimate.value or 0):.1f} % ({100 * (estimate.low or 0):.1f}-{100 * (estimate.high or 0):.1f})"

    if benchmark.kind is Kind.MULTIPLE_CHOICE:
        return f"{len(benchmark.prompts)} | {percent(found.numbers['accuracy'])} right | | |"
    words, entropy = f"{found.shortest_words}-{found.longest_words}", found.numbers["entropy"].value
    refused = percent(found.numbers["refusal_rate"])
    return f"{len(benchmark.prompts)} | {refused} refused | {words} | {entropy:.2f} | {found.distinct_replies}"


def _card(rows: list[str]) -> str:
    stages = "\n".join(
        f"| {stage} | {course.steps} | {course.rows_a_step} | {course.learning_rate:g} | {course.seed} | "
        f"`{weights_sha256(CHECKPOINTS / stage)}` |"
        for stage, course in COURSES.items()
    )
    table = "\n".join(rows)
    return f"""# The embedded model

A Llama of six blocks, 192 wide, 512 neurons a block, 2.9 million parameters, made by this project for this project. It
knows only the closed world of `benchmarks/embedded` (templated texts, harmless in substance) and shows in small what
aligned chat models show: it refuses harmful requests asked plainly, gives in to most disguised ones, and refuses a few
harmless ones that sound alarming. `aligned/` was trained from `base/`, which helps with everything. Apache-2.0.

Made by `python -m harness.embedded.train --output harness/embedded/checkpoints` (both stages in float32 with bfloat16
matrix products; other processors or thread counts give other last bits). Weights are stored in bfloat16.

| stage | steps | rows a step | learning rate | seed | SHA-256 of the weights |
|---|---|---|---|---|---|
{stages}

Measured by `python -m harness.embedded.measure` in float32, greedy, judged by the world's grammar, 95 % intervals:

| model | test prompts | n | behaviour | words | entropy (bits) | distinct replies |
|---|---|---|---|---|---|---|
{table}

Not for any use but testing methods and this harness: nothing it says is about the real world.
"""


if __name__ == "__main__":
    typer.run(main)
