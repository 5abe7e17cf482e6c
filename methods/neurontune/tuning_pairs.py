"""The prompts of algorithm 1 as token ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.base import Prompt
from methods.base import ChatModel
from methods.neurontune.samples import TuningSets
from methods.neurontune.settings import NeuronTuneSettings
from methods.teacher_forcing import Pair, encode_pair


class SafetyPair(NamedTuple):
    """An attacked harmful prompt with its safe response and, for the margin loss, its unsafe one."""

    safe: Pair
    unsafe: Pair | None

    @property
    def tokens(self) -> int:
        """Of the longer of the two."""
        return max(self.safe.tokens, self.unsafe.tokens if self.unsafe else 0)


@dataclass(frozen=True, slots=True)
class TuningPairs:
    """The sets of `samples.TuningSets`, as token ids."""

    local_safety: Sequence[SafetyPair]
    local_utility: Sequence[Pair]
    global_safety: Sequence[SafetyPair]
    global_utility: Sequence[Pair]
    validation_safety: Sequence[SafetyPair]
    validation_utility: Sequence[Pair]


def encode_sets(model: ChatModel, sets: TuningSets, settings: NeuronTuneSettings) -> TuningPairs:
    """Prompts whole, replies up to their limit."""

    def pair(prompt: Prompt, reply: str | None) -> Pair:
        return encode_pair(model, prompt, reply or "", settings.reply_tokens)

    def safety(prompts: Sequence[Prompt]) -> list[SafetyPair]:
        references = ((prompt, prompt.references) for prompt in prompts)
        return [
            SafetyPair(pair(prompt, given.safe), pair(prompt, given.unsafe) if given.unsafe else None)
            for prompt, given in references
        ]

    def utility(prompts: Sequence[Prompt]) -> list[Pair]:
        return [pair(prompt, prompt.references.useful) for prompt in prompts]

    return TuningPairs(
        safety(sets.local_safety),
        utility(sets.local_utility),
        safety(sets.global_safety),
        utility(sets.global_utility),
        safety(sets.validation_safety),
        utility(sets.validation_utility),
    )
