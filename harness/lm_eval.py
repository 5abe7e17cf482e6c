"""Any arm as a model of lm-evaluation-harness: its tasks ask and score, the arm answers in its own way.

An arm that owns its generation (SCANS, CAVGAN, a prompt) acts inside of `ChatModel` alone, so the network by itself
would not do. Texts go in raw, as lm-eval gives them.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from benchmarks.base import Benchmark, Intent, Message, Prompt, Reply, Split
from benchmarks.errors import UserError
from benchmarks.lm_eval_tasks import TaskName, prompt_id
from harness.batching import BatchSize, in_batches
from methods.base import ChatModel, GenerationSettings

NEW_TOKENS = 256
"""Longest reply where a task names none, as of lm-eval's own models."""


class ArmLM(LM):  # type: ignore[misc] # lm-eval is optional, so mypy does not see its types
    """A chat model behind the interface that tasks know."""

    def __init__(self, model: ChatModel, size: BatchSize) -> None:
        super().__init__()
        self._model, self._size = model, size

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Log-probability of each continuation. Whether it is the greedy one is not known; no task that is let in asks.

        Continuations of one text are asked for together, so that letters share a pass.
        """
        pairs = [_split(*request.args) for request in requests]
        wanted: dict[str, dict[str, float]] = {}
        for text, continuation in pairs:
            wanted.setdefault(text, {})[continuation] = 0.0

        def work(texts: list[str]) -> list[None]:
            rows = self._model.log_probabilities(_prompts(texts), [list(wanted[text]) for text in texts])
            for text, row in zip(texts, rows, strict=True):
                sums = (fsum(tokens.tolist()) for tokens in row)
                wanted[text] = dict(zip(wanted[text], sums, strict=True))
            return []

        self._in_batches(wanted, work)
        return [(wanted[text][continuation], False) for text, continuation in pairs]

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Greedy replies, each cut where the first of its `until` begins."""
        written: dict[tuple[str, int], str] = {}
        asked = [(request.args[0], int(request.args[1].get("max_gen_toks", NEW_TOKENS))) for request in requests]
        for budget in sorted({budget for _, budget in asked}):

            def work(texts: list[str], budget: int = budget) -> list[None]:
                replies = self._model.generate(_prompts(texts), GenerationSettings(budget))
                written.update({(text, budget): reply.text for text, reply in zip(texts, replies, strict=True)})
                return []

            self._in_batches({text: None for text, own in asked if own == budget}, work)
        return [_cut(written[key], request.args[1]) for key, request in zip(asked, requests, strict=True)]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Asked for by no task that is let in.

        Raises:
            UserError: Always.
        """
        raise UserError(f"A task asks for the likelihood of {len(requests)} whole texts, which no arm can tell.")

    def _in_batches(self, texts: Mapping[str, object], work: Callable[[list[str]], list[None]]) -> None:
        """Longest first, so that memory trouble shows at once."""
        for _ in in_batches(sorted(texts, key=lambda text: (-len(text), text)), lambda _: False, self._size, work):
            pass


def answer_task(model: ChatModel, benchmark: Benchmark, size: BatchSize) -> list[Reply]:
    """One reply a document, whose `action` holds the task's metrics and, as `task_score`, the first of them.

    Args:
        model: The arm.
        benchmark: From `benchmarks.lm_eval_tasks`.
        size: Texts at once.
    """
    name = TaskName.of(benchmark.source)
    documents: dict[str, list[int]] = {}
    for prompt in benchmark.prompts:
        documents.setdefault(prompt.category, []).append(int(prompt.id.rpartition("-")[2]))
    found = simple_evaluate(
        model=ArmLM(model, size),
        tasks=list(documents),
        samples=documents,
        task_manager=name.manager(),
        bootstrap_iters=0,
    )
    replies: dict[str, Reply] = {}
    for task, samples in found["samples"].items():
        for sample in samples:
            key = prompt_id(task, sample["doc_id"])
            replies.setdefault(key, _reply(key, sample))  # where a task has several filters, the first one counts
    return [replies[prompt.id] for prompt in benchmark.prompts]


def _reply(key: str, sample: Mapping[str, Any]) -> Reply:
    metrics = {name: sample[name] for name in sample["metrics"] if isinstance(sample[name], (int, float))}
    first = {"task_score": next(iter(metrics.values()))} if metrics else {}
    return Reply(key, _said(sample), action={**{name: float(value) for name, value in metrics.items()}, **first})


def _said(sample: Mapping[str, Any]) -> str:
    """What was written, or the likeliest continuation."""
    answers = sample["filtered_resps"]
    if isinstance(answers[0], str):
        return str(answers[0])
    likeliest = max(range(len(answers)), key=lambda place: answers[place][0])
    return str(sample["arguments"][likeliest][1]).strip()


def _prompts(texts: Sequence[str]) -> list[Prompt]:
    return [
        Prompt(text, (Message("user", text),), Intent.BENIGN, text, text, "lm-eval", Split.TEST, is_raw=True)
        for text in texts
    ]


def _split(text: str, continuation: str) -> tuple[str, str]:
    """Blanks at the end of a text belong to what goes on from it, as in lm-eval's own models."""
    kept = text.rstrip()
    return kept, text[len(kept) :] + continuation


def _cut(reply: str, options: Mapping[str, Any]) -> str:
    until = options.get("until") or []
    ends = [reply.find(end) for end in ([until] if isinstance(until, str) else until) if end and end in reply]
    return reply[: min(ends)] if ends else reply
