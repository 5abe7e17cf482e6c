"""Feed a network prompts together with given replies, and read how likely it finds them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from benchmarks.base import Prompt
from methods.base import ChatModel


class Pair(NamedTuple):
    """Token ids of a prompt and of a reply to it."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]


class Batch(NamedTuple):
    """Pairs side by side, padded on the right, where a causal network never looks."""

    ids: Int[Tensor, "row token"]
    mask: Int[Tensor, "row token"]
    targets: Int[Tensor, "row target"]
    """The last columns of `ids`, from the first that holds a reply token in any row."""
    is_reply: Bool[Tensor, "row target"]
    """Which of the targets are reply tokens of their row."""


def encode_pair(model: ChatModel, prompt: Prompt, reply: str) -> Pair:
    """A prompt with one reply, the end of the turn included."""
    return Pair(model.encode(prompt).ids, model.encode_reply(reply))


def collate(pairs: Sequence[Pair], device: torch.device) -> Batch:
    """Put pairs into one batch; padding repeats token 0, which the mask hides."""
    width = max(len(pair.prompt) + len(pair.reply) for pair in pairs)
    rows = [(*pair.prompt, *pair.reply) for pair in pairs]
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
    column = torch.arange(width, device=device)[None, :]
    starts = torch.tensor([len(pair.prompt) for pair in pairs], device=device)[:, None]
    ends = torch.tensor([len(row) for row in rows], device=device)[:, None]
    first = min(len(pair.prompt) for pair in pairs)
    is_reply = (column >= starts) & (column < ends)
    return Batch(ids, (column < ends).long(), ids[:, first:], is_reply[:, first:])


def reply_logits(model: ChatModel, batch: Batch) -> Float[Tensor, "row target vocabulary"]:
    """Logits that predict each target from the tokens before it; none are computed for the prompts they share."""
    keep = batch.targets.shape[1] + 1
    output = model.network(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, logits_to_keep=keep)
    logits: Tensor = output.logits
    return logits[:, :-1]


def negative_log_likelihood(logits: Float[Tensor, "row target vocabulary"], batch: Batch) -> Float[Tensor, " row"]:
    """Mean over each row's reply tokens of -log p, in nats."""
    losses = torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), batch.targets, reduction="none")
    return (losses * batch.is_reply).sum(dim=1) / batch.is_reply.sum(dim=1)
