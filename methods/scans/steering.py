"""Generation under SCANS: classify the prompts of a batch, then answer them all at once, each with its own sign."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.base import Json, Prompt, Reply
from methods.base import ChatModel, ForwardState, GenerationSettings
from methods.residual import added
from methods.scans.classification import Classifier
from methods.wrapped import Wrapped

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Steering:
    """What SCANS has learnt."""

    vectors: Mapping[int, Float[Tensor, " width"]]
    """By block: what is added to the residual stream after it, towards refusal."""
    classifier: Classifier
    threshold: float
    safe_sign: int
    """-1 steers safe prompts away from refusal, 0 leaves them alone."""

    def decide(self, model: ChatModel, prompts: Sequence[Prompt]) -> "list[Decision]":
        """Which way to steer each prompt: towards refusal where it is unsafe.

        Raises:
            ArithmeticError: If a similarity is NaN.
        """
        similarities = self.classifier.similarities(model, prompts).double().tolist()
        for prompt, found in zip(prompts, similarities, strict=True):
            if math.isnan(found):
                raise ArithmeticError(f"The similarity of '{prompt.id}' to harmful prompts is NaN.")
        return [Decision(1 if found >= self.threshold else self.safe_sign, found) for found in similarities]


@dataclass(frozen=True, slots=True)
class Decision:
    """How one prompt is treated."""

    sign: int
    similarity: float

    @property
    def action(self) -> dict[str, Json]:
        """For the reply's record. Rounded, since the last digits depend on the batch."""
        return {"steered": self.sign, "similarity": round(self.similarity, 4)}


class Steered(Wrapped):
    """A model that is steered where a reply begins, at the last prompt token, and at every token that it writes."""

    def __init__(self, inner: ChatModel, steering: Steering) -> None:
        super().__init__(inner)
        self._steering = steering
        self._signs: Mapping[str, int] = {}
        """By prompt id; empty but while a batch is answered."""

    @contextmanager
    def hooked(self) -> Iterator["Steered"]:
        """Hooks that steer what is asked of this model and leave every other pass alone."""
        with added(self.inner, self._steering.vectors, self._weights):
            yield self

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """One reply a prompt, in order; the time of the classification is shared out among them."""
        started = monotonic()
        decisions = self._steering.decide(self.inner, prompts)
        seconds = (monotonic() - started) / len(prompts)

        def work(rows: Sequence[int]) -> Sequence[Reply]:
            return self.inner.generate([prompts[row] for row in rows], settings)

        return [
            replace(reply, seconds=reply.seconds + seconds, action={**reply.action, **decision.action})
            for reply, decision in zip(self._steer(prompts, decisions, work), decisions, strict=True)
        ]

    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> list[list[Float[Tensor, " token"]]]:
        """Natural log-probabilities of continuations, steered as replies are."""

        def work(rows: Sequence[int]) -> Sequence[list[Tensor]]:
            return self.inner.log_probabilities([prompts[row] for row in rows], [continuations[row] for row in rows])

        return self._steer(prompts, self._steering.decide(self.inner, prompts), work)

    def _steer(
        self, prompts: Sequence[Prompt], decisions: Sequence[Decision], work: Callable[[Sequence[int]], Sequence[T]]
    ) -> list[T]:
        """What `work` gives for every row, the rows steered by their decisions."""
        found: dict[int, T] = {}
        for rows in _unambiguous([prompt.id for prompt in prompts], decisions):
            self._signs = {prompts[row].id: decisions[row].sign for row in rows}
            try:
                found.update(zip(rows, work(rows), strict=True))
            finally:
                self._signs = {}
        return [found[row] for row in range(len(prompts))]

    def _weights(self, state: ForwardState) -> Float[Tensor, "row token"]:
        signs = [self._signs[prompt.id] if self._signs else 0 for prompt in state.prompts]
        return state.is_after_prompt * torch.tensor(signs, device=state.positions.device)[:, None]


def _unambiguous(ids: Sequence[str], decisions: Sequence[Decision]) -> list[list[int]]:
    """Rows in one batch; in two where unlike prompts share an id, so that an id has one sign in each batch."""
    first: dict[str, int] = {}
    for name, decision in zip(ids, decisions, strict=True):
        first.setdefault(name, decision.sign)
    agrees = [first[name] == decision.sign for name, decision in zip(ids, decisions, strict=True)]
    batches = [[row for row, agreeing in enumerate(agrees) if agreeing is side] for side in (True, False)]
    return [rows for rows in batches if rows]
