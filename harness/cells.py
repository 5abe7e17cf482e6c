"""Filling one cell: the replies of an arm to a benchmark, and how surprising they are to the unmodified model."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.base import Benchmark, Kind, Message, Prompt, Reply
from harness import ledger
from harness.batching import BatchSize, in_batches
from harness.finite import not_finite
from harness.forecast import Kind as WorkKind
from harness.forecast import Work
from harness.plan import Cell
from harness.progress import Display
from harness.records import reply_from_json, reply_to_json
from harness.storage import writing
from methods.base import ChatModel, GenerationSettings

SCORED_TOKENS = 256
"""Of a reply, from its start: a long loop would otherwise drown what was said before it."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A benchmark with its prompts in the order of work: longest first, so that memory trouble shows at once."""

    benchmark: Benchmark
    prompts: tuple[Prompt, ...]

    @classmethod
    def of(cls, benchmark: Benchmark, model: ChatModel) -> "Ordered":
        """By prompt tokens of the unmodified model, so that every arm's batches are the same.

        Few-shot questions after the same shots stay together, for an engine that reads these but once.
        """
        lengths = {prompt.id: len(model.encode(prompt).ids) for prompt in benchmark.prompts}
        by_length = sorted(benchmark.prompts, key=lambda prompt: -lengths[prompt.id])
        groups: dict[tuple[Message, ...], list[Prompt]] = {}
        for prompt in by_length:
            groups.setdefault(prompt.messages[:-1] if prompt.is_raw else (), []).append(prompt)
        return cls(benchmark, tuple(prompt for group in groups.values() for prompt in group))


@dataclass(frozen=True, slots=True)
class Job:
    """One file to fill."""

    questions: Ordered
    path: Path
    size: BatchSize
    display: Display
    name: str
    """For the display."""
    cell: Cell | None = None
    """Of the run, if this is one of its own."""

    def work(self, kind: WorkKind) -> Work | None:
        """What it is of a run's work."""
        return Work(kind, *self.cell) if self.cell else None


def answer(model: ChatModel, job: Job, settings: GenerationSettings) -> None:
    """Generate the replies that the file lacks and append them, batch by batch.

    Raises:
        NotFiniteError: If a logit, or an option's log-probability, is NaN or infinite.
        StorageError: If the disk refuses.
    """

    def work(batch: list[Prompt]) -> list[Reply]:
        if job.questions.benchmark.kind is Kind.MULTIPLE_CHOICE:
            return _choose(model, batch)
        return _checked(batch, model.generate(batch, settings))

    prompts = job.questions.prompts
    done = _recovered(job)
    _tell(job, [reply_from_json(record) for record in done.values()])
    if job.questions.benchmark.kind is Kind.TASK:
        return _answer_task(model, job, done)
    with job.display.stage(job.name, len(done), len(prompts), job.work(WorkKind.ANSWER)) as advance:
        for replies in in_batches(prompts, lambda prompt: prompt.id in done, job.size, work):
            _append(job, (reply_to_json(reply) for reply in replies))
            advance(len(replies))
            _tell(job, replies)


def score(model: ChatModel, job: Job, replies_path: Path) -> None:
    """Append the surprise of every reply that says something and has none yet; `model` is the unmodified one.

    Raises:
        NotFiniteError: If a log-probability is NaN or infinite.
        StorageError: If the disk refuses.
    """
    texts = {key: str(record["text"]) for key, record in ledger.read(replies_path).records.items()}
    pairs = [(prompt, texts[prompt.id]) for prompt in job.questions.prompts if texts[prompt.id].strip()]
    work = _surprise_of(model)
    done = _recovered(job)
    with job.display.stage(job.name, len(done), len(pairs), job.work(WorkKind.SCORE)) as advance:
        for records in in_batches(pairs, lambda pair: pair[0].id in done, job.size, work):
            _append(job, records)
            advance(len(records))


def _answer_task(model: ChatModel, job: Job, done: Mapping[str, ledger.Record]) -> None:
    """All of a task at once, since its scores come when it is finished."""
    benchmark = job.questions.benchmark
    if len(done) == len(benchmark.prompts):
        return
    from harness.lm_eval import answer_task

    with job.display.stage(job.name, len(done), len(benchmark.prompts), job.work(WorkKind.ANSWER)) as advance:
        replies = [reply for reply in answer_task(model, benchmark, job.size) if reply.prompt_id not in done]
        _append(job, (reply_to_json(reply) for reply in replies))
        advance(len(replies))


def _surprise_of(model: ChatModel) -> Callable[[list[tuple[Prompt, str]]], list[ledger.Record]]:
    def work(batch: list[tuple[Prompt, str]]) -> list[ledger.Record]:
        rows = model.log_probabilities([prompt for prompt, _ in batch], [[text] for _, text in batch])
        return [
            {"prompt_id": prompt.id, "surprise": _mean_surprise(model, prompt, row[0][:SCORED_TOKENS].tolist())}
            for (prompt, _), row in zip(batch, rows, strict=True)
        ]

    return work


def _mean_surprise(model: ChatModel, prompt: Prompt, log_probabilities: Sequence[float]) -> float | None:
    """Mean negative log-likelihood in nats per token; None for a text without tokens."""
    if not log_probabilities:
        return None
    total = math.fsum(_finite(model, prompt, log_probabilities))
    return -total / len(log_probabilities)


def _choose(model: ChatModel, prompts: list[Prompt]) -> list[Reply]:
    """The likeliest letter of each question; of equally likely ones the first."""
    started = time.monotonic()
    letters = [_letters(prompt) for prompt in prompts]
    # Raw text goes on in its line, after a blank; a reply to a chat turn begins with the letter.
    blanks = [" " if prompt.is_raw else "" for prompt in prompts]
    texts = [[blank + letter for letter in names] for blank, names in zip(blanks, letters, strict=True)]
    rows = model.log_probabilities(prompts, texts)
    seconds = (time.monotonic() - started) / len(prompts)
    replies = []
    for prompt, names, row in zip(prompts, letters, rows, strict=True):
        options = tuple(math.fsum(_finite(model, prompt, option.tolist())) for option in row)
        chosen = names[options.index(max(options))]
        replies.append(Reply(prompt.id, chosen, seconds=seconds, option_log_probabilities=options))
    return replies


def _letters(prompt: Prompt) -> list[str]:
    if prompt.choices is None:
        raise ValueError(f"'{prompt.id}' is in a multiple-choice benchmark and has no choices")
    return [chr(ord("A") + index) for index in range(len(prompt.choices.options))]


def _finite(model: ChatModel, prompt: Prompt, numbers: Sequence[float]) -> Sequence[float]:
    for number in numbers:
        if not math.isfinite(number):
            raise not_finite(f"A log-probability of the reply to '{prompt.id}'", number, model.dtype)
    return numbers


def _checked(prompts: Sequence[Prompt], replies: list[Reply]) -> list[Reply]:
    """Guard against a method that answers other questions than it was asked."""
    if [reply.prompt_id for reply in replies] != [prompt.id for prompt in prompts]:
        raise ValueError(f"{len(prompts)} prompts were answered with {len(replies)} replies, or in another order")
    for reply in replies:
        if not isinstance(reply.text, str):
            raise TypeError(f"the reply to '{reply.prompt_id}' is {type(reply.text).__name__}, not text")
    return replies


def _recovered(job: Job) -> Mapping[str, ledger.Record]:
    """Whole records by prompt id, after spoilt ones were dropped from the file."""
    with writing(job.path.parent):
        contents = ledger.recover(job.path)
    for damage in contents.damages:
        job.display.note(f"warning: {damage}")
    return contents.records


def _tell(job: Job, replies: Sequence[Reply]) -> None:
    if job.cell and replies:
        job.display.heard(job.cell, replies)


def _append(job: Job, records: Iterable[ledger.Record]) -> None:
    with writing(job.path.parent):
        ledger.append(job.path, records)
