"""Useful replies to benign prompts whose source has none: what the unmodified model says to them by itself.

They are made once, before any fit, and kept in the run folder, so that a run that goes on learns from the very same.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.alignment import unanswered, with_useful
from benchmarks.base import AlignmentData, Benchmark, Intent, Kind, Prompt, Reply, StopReason
from benchmarks.columns import digest
from harness import ledger
from harness.batching import BatchSize
from harness.cells import Job, Ordered, answer
from harness.fingerprint import template_hash, weights_hash
from harness.progress import Display
from harness.records import reply_from_json
from harness.run_folder import RunFolder
from methods.base import ChatModel, GenerationSettings
from metrics.base import Verdict
from metrics.degenerate import flaw
from metrics.judges.keyword import judge_text

LENGTH = GenerationSettings(max_new_tokens=64)
"""Enough for a few sentences: a longer reply says little more of usefulness and costs every fit its time."""
_SENTENCE_END = re.compile(r"(?<!\d)[.!?][\"')\]]*(?=\s|$)|(?<=[^\s:])(?=\n)")
"""Not after the number of a list's item, nor after a line that only announces what follows."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the replies are kept, and how they are made."""

    folder: RunFolder
    size: BatchSize
    display: Display


def completed(data: AlignmentData, model: ChatModel, place: Place) -> AlignmentData:
    """The data with a useful reply of the unmodified model to every benign question that lacks one.

    One that is refused, degenerate or cut off before its first sentence ended is none; a note counts them.

    Raises:
        StorageError: If the disk refuses.
    """
    asked = unanswered(data)
    if not asked:
        return data
    replies = _replies(data, asked, model, place)
    useful = {prompt.question_id: text for prompt in asked if (text := _useful(replies[prompt.id]))}
    note = f"useful replies by the unmodified model: {len(useful)} of {len(asked)} benign questions that had none"
    left = len(asked) - len(useful)
    more = f"; {left} stay without, where it refused, said nothing whole or was degenerate" if left else ""
    return replace(with_useful(data, useful), notes=(*data.notes, note + more))


def as_if_completed(data: AlignmentData) -> AlignmentData:
    """The data as a method will get them, as far as can be said before the model has replied: with some reply each.

    A method's own check asks whether there are replies, not what they say.
    """
    return with_useful(data, {prompt.question_id: "To be replied by the model." for prompt in unanswered(data)})


def _replies(data: AlignmentData, asked: Sequence[Prompt], model: ChatModel, place: Place) -> Mapping[str, Reply]:
    questions = Benchmark("useful_replies", "", Kind.GENERATION, Intent.BENIGN, tuple(asked), data.name, "", "")
    # Named after all that decides them, so that a command with another model cannot take them, or spoil them.
    decisive = json.dumps([data.content_hash, weights_hash(model), template_hash(model), LENGTH.max_new_tokens])
    path = place.folder.useful_replies(digest(decisive))
    title = "useful replies to learn from, by the unmodified model"
    answer(model, Job(Ordered.of(questions, model), path, place.size, place.display, title), LENGTH)
    return {key: reply_from_json(record) for key, record in ledger.read(path).records.items()}


def _useful(reply: Reply) -> str:
    """The reply, up to the end of its last whole sentence if it was cut; empty where it is of no use."""
    text = reply.text.strip()
    if reply.stop is StopReason.LENGTH:
        ends = [found.end() for found in _SENTENCE_END.finditer(text)]
        text = text[: ends[-1]].strip() if ends else ""
    is_refused = judge_text(text).verdict is Verdict.REFUSED
    return "" if is_refused or flaw(text) else text
