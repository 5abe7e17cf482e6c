"""Data to align on, put together from published sets and files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.base import AlignmentData, Benchmark, Intent, Kind, Prompt, Split
from benchmarks.columns import by_question
from benchmarks.errors import UserError
from benchmarks.refusals import refusal_to


def compose(name: str, parts: Sequence[Benchmark], notes: Sequence[str] = ()) -> AlignmentData:
    """All prompts of the parts that may be learnt from.

    A part that calls some rows train or dev is taken at its word, and its test rows are left out. Any other is split by
    question, four fifths to train. What one part has to train on is no dev question of another; the leakage guard
    keeps all of them out of the tests. A harmful question whose source has no safe reply gets a refusal.

    Raises:
        UserError: If a part is multiple choice or has a question both as train and dev, or two prompts share an id.
    """
    prompts = [_with_refusal(prompt) for part in parts for prompt in _learnable(part)]
    repeated, count = Counter(prompt.id for prompt in prompts).most_common(1)[0]
    if count > 1:
        raise UserError(
            f"Data '{name}' has {count} prompts with the id '{repeated}'. Name each set once; make ids unique."
        )
    train = tuple(prompt for prompt in prompts if prompt.split is Split.TRAIN)
    trained_on = {prompt.question_id for prompt in train}
    dev = (prompt for prompt in prompts if prompt.split is Split.DEV)
    return AlignmentData(
        name, train, tuple(prompt for prompt in dev if prompt.question_id not in trained_on), tuple(notes)
    )


def unanswered(data: AlignmentData) -> tuple[Prompt, ...]:
    """The benign questions without a useful reply, each once, without attack."""
    found: dict[str, Prompt] = {}
    for prompt in (*data.train, *data.dev):
        if _lacks_useful(prompt):
            found.setdefault(prompt.question_id, prompt.without_attack() if prompt.attack else prompt)
    return tuple(found.values())


def with_useful(data: AlignmentData, replies: Mapping[str, str]) -> AlignmentData:
    """The data with useful replies, by question, for the benign prompts that lack one."""

    def filled(prompt: Prompt) -> Prompt:
        reply = replies.get(prompt.question_id) if _lacks_useful(prompt) else None
        return replace(prompt, references=replace(prompt.references, useful=reply)) if reply else prompt

    return replace(data, train=tuple(map(filled, data.train)), dev=tuple(map(filled, data.dev)))


def _lacks_useful(prompt: Prompt) -> bool:
    return prompt.intent is Intent.BENIGN and not prompt.references.useful


def _learnable(part: Benchmark) -> list[Prompt]:
    if part.kind is not Kind.GENERATION:
        kind = part.kind.replace("_", " ")
        raise UserError(f"'{part.name}' is {kind}, which methods do not learn from. Leave it out of --data.")
    told = [prompt for prompt in part.prompts if prompt.split is not Split.TEST]
    if not told:
        return [replace(prompt, split=by_question(prompt.question_id)) for prompt in part.prompts]
    splits: dict[str, Prompt] = {}
    for prompt in told:
        other = splits.setdefault(prompt.question_id, prompt)
        if other.split is not prompt.split:
            raise UserError(
                f"'{part.name}' has one question both as train and dev ('{other.id}', '{prompt.id}'). "
                "Put all rows of a question into one split."
            )
    return told


def _with_refusal(prompt: Prompt) -> Prompt:
    if prompt.intent is Intent.BENIGN or prompt.references.safe:
        return prompt
    return replace(prompt, references=replace(prompt.references, safe=refusal_to(prompt.question_id)))
