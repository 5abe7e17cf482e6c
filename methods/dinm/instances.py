"""What DINM learns from: instances, drawn from train prompts and turned into token ids."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.base import AlignmentData, Prompt
from benchmarks.errors import UserError
from methods.base import ChatModel
from methods.dinm.settings import SUFFIX, DinmSettings
from methods.safety_prompt import Words, reworded


class Instance(NamedTuple):
    """One instance of SafeEdit: an attacked question, and a benign one whose answer is to stay as it is."""

    attacked: Prompt
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
    """The attacked prompt with the safe reply: of the edit loss."""
    answer: Sequences
    """The benign prompt with its answer: of the constraint."""
    prompt: tuple[int, ...]
    """The attacked prompt, after which the two replies are compared."""
    safe: tuple[int, ...]
    """The words of the safe reply, without the end of the turn."""
    unsafe: tuple[int, ...]
    """The words of the unsafe reply."""


def sample(data: AlignmentData, count: int, rng: random.Random) -> list[Instance]:
    """Instances at random, each question at most once; a benign one may serve again where there are too few."""
    attacked, benign = _attacked(data), _benign(data)
    chosen = rng.sample(attacked, count)
    answers = rng.sample(benign, min(count, len(benign)))
    return [Instance(prompt, answers[index % len(answers)]) for index, prompt in enumerate(chosen)]


def encode(model: ChatModel, instance: Instance, settings: DinmSettings) -> Lesson:
    """Token ids of an instance under settings whose variant is resolved."""
    has_suffix = settings.training_suffix == "always" or "suffix" in settings.intervention
    attacked, benign = (reworded(prompt, Words(after=SUFFIX if has_suffix else "")) for prompt in instance)
    prompt = model.encode(attacked).ids
    safe = model.encode_reply(attacked.references.safe or "")
    unsafe = model.encode_reply(attacked.references.unsafe or "")
    answer = model.encode_reply(benign.references.useful or "")
    target = safe if settings.end_of_turn == "learnt" else safe[:-1]
    if settings.labels == "opening_and_reply":
        refusal = Sequences(prompt[:-1], (prompt[-1], *target), (prompt[0], *target))
    else:
        refusal = Sequences(prompt, target, target)
    return Lesson(refusal, Sequences(model.encode(benign).ids, answer, answer), prompt, safe[:-1], unsafe[:-1])


def check_data(data: AlignmentData, count: int) -> None:
    """Refuse data that holds too few instances.

    Raises:
        UserError: Naming what is missing.
    """
    for what, found, needed in (
        ("attacked harmful train prompts with a safe and an unsafe reply", _attacked(data), count),
        ("plain benign train prompts with a useful answer", _benign(data), 1),
    ):
        if len(found) < needed:
            raise UserError(f"'dinm' needs {needed} {what}; alignment data '{data.name}' has {len(found)}.")


def _attacked(data: AlignmentData) -> Sequence[Prompt]:
    return [
        prompt for prompt in data.harmful() if prompt.attack and prompt.references.safe and prompt.references.unsafe
    ]


def _benign(data: AlignmentData) -> Sequence[Prompt]:
    return [prompt for prompt in data.benign() if not prompt.attack and prompt.references.useful]
