"""What DINM learns from: instances, drawn from train prompts and turned into token ids."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.base import AlignmentData, Prompt
from benchmarks.errors import UserError
from methods.base import ChatModel, GenerationSettings
from methods.dinm.settings import SUFFIX, DinmSettings
from methods.safety_prompt import Words, reworded


class Instance(NamedTuple):
    """As in SafeEdit: a harmful question, attacked where there are such, and a benign one whose answer is to stay."""

    harmful: Prompt
    benign: Prompt


class Sequences(NamedTuple):
    """Token ids of a prompt, of what follows it, and what the network is taught to predict there."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    labels: tuple[int, ...]
    """One for each token of `reply`."""


class Lesson(NamedTuple):
    """An instance as token ids."""

    refusal: Sequences
    """The harmful prompt with the safe reply: of the edit loss."""
    answer: Sequences
    """The benign prompt with its answer: of the constraint."""
    prompt: tuple[int, ...]
    """The harmful prompt, after which the two replies are compared."""
    safe: tuple[int, ...]
    """The words of the safe reply, without the end of the turn."""
    unsafe: tuple[int, ...]
    """The words of the unsafe reply."""


def sample(data: AlignmentData, count: int, rng: random.Random) -> list[Instance]:
    """Instances at random: attacked questions, then plain ones where there are too few of these, none of them twice.

    A benign question may serve again where there are too few.
    """
    harmful, benign = _harmful(data), _benign(data)
    attacked, plain = ([one for one in harmful if bool(one.attack) is disguised] for disguised in (True, False))
    chosen = rng.sample(attacked, min(count, len(attacked)))
    chosen += rng.sample(plain, count - len(chosen))
    answers = rng.sample(benign, min(count, len(benign)))
    return [Instance(prompt, answers[index % len(answers)]) for index, prompt in enumerate(chosen)]


def encode(model: ChatModel, instance: Instance, settings: DinmSettings) -> Lesson:
    """Token ids of an instance under settings whose variant is resolved."""
    has_suffix = settings.training_suffix == "always" or "suffix" in settings.intervention
    harmful, benign = (reworded(prompt, Words(after=SUFFIX if has_suffix else "")) for prompt in instance)
    prompt = model.encode(harmful).ids
    safe = model.encode_reply(harmful.references.safe or "")
    answer = model.encode_reply(benign.references.useful or "")
    target = safe if settings.end_of_turn == "learnt" else safe[:-1]
    if settings.labels == "opening_and_reply":
        refusal = Sequences(prompt[:-1], (prompt[-1], *target), (prompt[0], *target))
    else:
        refusal = Sequences(prompt, target, target)
    unsafe = _unsafe(model, harmful, len(safe))
    return Lesson(refusal, Sequences(model.encode(benign).ids, answer, answer), prompt, safe[:-1], unsafe)


def check_data(data: AlignmentData, count: int) -> None:
    """Refuse data that holds too few instances.

    Raises:
        UserError: Naming what is missing.
    """
    for what, found, needed in (
        ("harmful train prompts with a safe reply", _harmful(data), count),
        ("plain benign train prompts with a useful answer", _benign(data), 1),
    ):
        if len(found) < needed:
            raise UserError(f"'dinm' needs {needed} {what}; alignment data '{data.name}' has {len(found)}.")


def kinds(instances: Sequence[Instance]) -> dict[str, list[str]]:
    """What each instance is made of, for the report."""
    harmful = [instance.harmful for instance in instances]
    return {
        "questions": ["attacked" if prompt.attack else "plain" for prompt in harmful],
        "unsafe_replies": ["of the data" if prompt.references.unsafe else "the model's own" for prompt in harmful],
    }


def _unsafe(model: ChatModel, harmful: Prompt, count: int) -> tuple[int, ...]:
    """The words of the unsafe reply; the model's own where the data has none, as long as will be compared."""
    if harmful.references.unsafe:
        return model.encode_reply(harmful.references.unsafe)[:-1]
    (reply,) = model.generate([harmful], GenerationSettings(max_new_tokens=count))
    return reply.token_ids


def _harmful(data: AlignmentData) -> Sequence[Prompt]:
    return [prompt for prompt in data.harmful() if prompt.references.safe]


def _benign(data: AlignmentData) -> Sequence[Prompt]:
    return [prompt for prompt in data.benign() if not prompt.attack and prompt.references.useful]
