"""Whether an exported checkpoint says what the arm said: the same prompts put to both."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchmarks.base import Prompt
from methods.base import ChatModel, GenerationSettings

TOKENS = 32
"""Of a reply."""


class Said(NamedTuple):
    """What a model said to a few prompts."""

    logits: Float[Tensor, "prompt vocabulary"]
    """Of the first reply token, in float32."""
    replies: tuple[tuple[int, ...], ...]
    """Tokens of the greedy replies."""


class Agreement(NamedTuple):
    """How a checkpoint stands to the arm that it was made from."""

    prompts: int
    identical: int
    """Replies that are the same to the last token."""
    difference: float
    """Largest of a logit of the first reply token, between checkpoint and arm."""
    effect: float
    """The same between the arm and the model without it, to hold the difference against."""
    largest: float
    """Logit of the arm, in size."""


def said(model: ChatModel, prompts: Sequence[Prompt], tokens: int = TOKENS) -> Said:
    """Greedy replies and first logits, as one batch, so that both sides are padded alike."""
    logits: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: object) -> None:
        if not logits:
            found = getattr(output, "logits", None)
            assert isinstance(found, Tensor)
            logits.append(found[:, -1].detach().float().cpu())

    handle = model.network.register_forward_hook(keep)
    try:
        replies = model.generate(prompts, GenerationSettings(tokens))
    finally:
        handle.remove()
    return Said(logits[0], tuple(reply.token_ids for reply in replies))


def agreement(plain: Said, arm: Said, checkpoint: Said) -> Agreement:
    """Compare what three models said to the same prompts."""
    return Agreement(
        len(arm.replies),
        sum(one == other for one, other in zip(arm.replies, checkpoint.replies, strict=True)),
        _largest(arm.logits - checkpoint.logits),
        _largest(arm.logits - plain.logits),
        _largest(arm.logits),
    )


def _largest(values: Tensor) -> float:
    return float(torch.nan_to_num(values.abs(), nan=torch.inf).max())
