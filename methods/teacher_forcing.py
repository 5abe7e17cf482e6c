"""Feed a network prompts together with given replies, and read how likely it finds them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from benchmarks.base import Prompt
from methods.base import ChatModel
from methods.padding import padded


class Pair(NamedTuple):
    """Token ids of a prompt and of a reply to it."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """How many both have together."""
        return len(self.prompt) + len(self.reply)


class Batch(NamedTuple):
    """Pairs side by side, padded on the right, where a causal network never looks: it needs no mask."""

    ids: Int[Tensor, "row token"]
    rows: Int[Tensor, " target"]
    """The row of every reply token, all rows' replies one after the other."""
    columns: Int[Tensor, " target"]
    """The position before it, from which it is predicted."""
    targets: Int[Tensor, " target"]
    """The reply tokens."""


def encode_pair(model: ChatModel, prompt: Prompt, reply: str, limit: int | None = None) -> Pair:
    """A prompt with one reply, the end of the turn included; a reply beyond the limit is cut and has no end."""
    return Pair(model.encode(prompt).ids, model.encode_reply(reply)[:limit])


def collate(pairs: Sequence[Pair], device: torch.device) -> Batch:
    """Put pairs into one batch."""
    ids, _ = padded([(*pair.prompt, *pair.reply) for pair in pairs], device, "right")
    places = [
        (row, len(pair.prompt) - 1 + number, token)
        for row, pair in enumerate(pairs)
        for number, token in enumerate(pair.reply)
    ]
    return Batch(ids, *torch.tensor(places, device=device).T)


def reply_logits(model: ChatModel, batch: Batch) -> Float[Tensor, "target vocabulary"]:
    """Logits that predict each reply token from the tokens before it; none are computed anywhere else."""
    with _output_at(model.network, batch):
        logits: Tensor = model.network(input_ids=batch.ids, use_cache=False).logits
    return logits[0]


def negative_log_likelihood(logits: Float[Tensor, "target vocabulary"], batch: Batch) -> Float[Tensor, " row"]:
    """Mean over each row's reply tokens of -log p, in nats."""
    # One row a token: with the vocabulary on a middle dimension, float32 is off by 1e-4 over 49,152 words.
    losses = torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="none")
    return mean_by_row(losses, batch)


def mean_by_row(values: Float[Tensor, " target"], batch: Batch) -> Float[Tensor, " row"]:
    """Mean over each row's reply tokens."""
    sums = values.new_zeros(len(batch.ids)).index_add(0, batch.rows, values)
    return sums / torch.bincount(batch.rows, minlength=len(batch.ids))


@contextmanager
def _output_at(network: nn.Module, batch: Batch) -> Iterator[None]:
    """Let the output layer see the states that predict a reply token, as one row; what scales its logits is kept.

    `logits_to_keep` takes the same positions from every row, and replies stand at others in each.
    """

    def choose(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Any, ...]:
        return (args[0][batch.rows.to(args[0].device), batch.columns.to(args[0].device)][None], *args[1:])

    handle = output_layer(network).register_forward_pre_hook(choose)
    try:
        yield
    finally:
        handle.remove()


def output_layer(network: nn.Module) -> nn.Module:
    """The layer that turns states into logits of the vocabulary."""
    return cast("nn.Module", cast("PreTrainedModel", network).get_output_embeddings())
