"""What an arm says to prompts, and in what two arms differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.base import Prompt
from harness.conformance.material import CONTINUATIONS, GENERATION
from methods.base import ChatModel

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Answers:
    """By the prompt's id: the reply's tokens, and how likely each token of two given continuations is."""

    tokens: Mapping[str, tuple[int, ...]]
    log_probabilities: "Mapping[str, list[Float[Tensor, ' token']]]"

    def change(self, later: "Answers", tolerance: float) -> str | None:
        """The first prompt of both that is answered otherwise, in words; log-probabilities may differ by `tolerance`.

        Prompts that one of them lacks are passed over: that a reply is there is another check's business.
        """
        for prompt, before in self.tokens.items():
            after = later.tokens.get(prompt, before)
            if before != after:
                return f"the reply to '{prompt}' differs from token {_first_difference(before, after)} on"
        for prompt, scores in self.log_probabilities.items():
            both = zip(scores, later.log_probabilities.get(prompt, scores), strict=True)
            largest = max(float((one - other).abs().max()) for one, other in both)
            if not largest <= tolerance:  # NaN is no agreement
                return f"a log-probability after '{prompt}' differs by {largest:.2g}, allowed {tolerance:.0e}"
        return None


def answers(model: ChatModel, prompts: Sequence[Prompt]) -> Answers:
    """Ask for replies and for log-probabilities, each as one batch."""
    replies = model.generate(prompts, GENERATION)
    scores = model.log_probabilities(prompts, [CONTINUATIONS] * len(prompts))
    return Answers(
        {reply.prompt_id: reply.token_ids for reply in replies},
        {prompt.id: row for prompt, row in zip(prompts, scores, strict=True)},
    )


def _first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    same = (first == second for first, second in zip(one, other, strict=False))
    return next((index for index, is_same in enumerate(same) if not is_same), min(len(one), len(other)))
