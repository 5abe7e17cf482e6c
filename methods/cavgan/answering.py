"""The chat model behind a detector: questions that it flags are answered with the safety instruction before them."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.base import Message, Prompt, Reply
from methods.base import ChatModel, GenerationSettings
from methods.cavgan.features import question_states
from methods.cavgan.networks import Discriminator
from methods.cavgan.training import probabilities
from methods.wrapped import Wrapped

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds malice in the hidden states of a question."""

    discriminator: Discriminator
    layer: int
    """Blocks after which the stream is read."""
    site: str

    def probabilities(self, model: ChatModel, prompts: Sequence[Prompt]) -> list[float]:
        """P(malicious) of every prompt.

        Raises:
            ArithmeticError: If one is not a number, naming the prompt.
        """
        states = question_states(model, prompts, self.site)[:, self.layer - 1]
        found: list[float] = probabilities(self.discriminator, states).tolist()
        for prompt, probability in zip(prompts, found, strict=True):
            if math.isnan(probability):
                raise ArithmeticError(f"the probability of malice that CAVGAN gives '{prompt.id}' is not a number")
        return found


class Guarded(Wrapped):
    """Every question is checked before it is answered, and answered once.

    A flagged one is answered with the instruction before it. That is what discarding the first token and answering
    again comes to, since a reply that begins anew depends on nothing of the one that was begun.
    """

    def __init__(self, inner: ChatModel, detector: Detector, threshold: float, instruction: str) -> None:
        super().__init__(inner)
        self.detector, self.threshold, self.instruction = detector, threshold, instruction

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """One reply a prompt, all as one batch; `action` tells the probability and whether it was flagged."""
        started = time.monotonic()
        probabilities = self.detector.probabilities(self.inner, prompts)
        seconds = (time.monotonic() - started) / len(prompts)
        replies = self.inner.generate(self._rewritten(prompts, probabilities), settings)
        return [
            replace(
                reply,
                seconds=reply.seconds + seconds,
                action={**reply.action, "flagged": probability > self.threshold, "probability": probability},
            )
            for reply, probability in zip(replies, probabilities, strict=True)
        ]

    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> "list[list[Float[Tensor, ' token']]]":
        """Log-probabilities of continuations, after the instruction where a prompt is flagged."""
        probabilities = self.detector.probabilities(self.inner, prompts)
        return self.inner.log_probabilities(self._rewritten(prompts, probabilities), continuations)

    def _rewritten(self, prompts: Sequence[Prompt], probabilities: Sequence[float]) -> list[Prompt]:
        return [
            with_instruction(prompt, self.instruction) if probability > self.threshold else prompt
            for prompt, probability in zip(prompts, probabilities, strict=True)
        ]


def with_instruction(prompt: Prompt, instruction: str) -> Prompt:
    """The same prompt, id and all, with the instruction before its last user turn, which goes into curly brackets.

    The turn of a raw prompt goes in without, since what follows continues its last line.
    """
    messages = list(prompt.messages)
    last = max(index for index, message in enumerate(messages) if message.role == "user")
    asked = messages[last].content
    messages[last] = Message("user", f"{instruction} {asked if prompt.is_raw else f'{{{asked}}}'}")
    return replace(prompt, messages=tuple(messages))
