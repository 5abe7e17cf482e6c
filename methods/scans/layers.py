"""After which blocks SCANS steers."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.errors import UserError
from methods.base import Block, ChatModel
from methods.residual import changed_outputs
from methods.scans.settings import ScansSettings

NEAREST = 50
"""Tokens that a vector points at: those with its largest logits."""

REFUSAL_WORDS = (
    "sorry", "cannot", "can't", "unable", "apologize", "refuse", "decline", "unfortunately",
    "illegal", "unethical", "inappropriate", "harmful", "harm", "dangerous",
)  # fmt: skip


class Layers(NamedTuple):
    """The blocks, and how they were found, in words."""

    indices: tuple[int, ...]
    rule: str


def by_depth(count: int) -> tuple[int, ...]:
    """Blocks 10 to 19 of 32, and the same part of any other depth; at least one."""
    first = int(0.3125 * count)
    return tuple(range(first, max(first + 1, int(0.625 * count))))


def given_range(text: str, count: int) -> tuple[int, ...] | None:
    """The blocks of a range such as 10-19; None for the names of the two rules.

    Raises:
        UserError: If it is no range, or reaches beyond the last block.
    """
    if text in ("depth", "auto"):
        return None
    found = re.fullmatch(r"(\d+)-(\d+)", text)
    if found is None or not int(found[1]) <= int(found[2]) < count:
        raise UserError(
            f"Setting 'layers' of 'scans' is {text!r}; it must be 'depth', 'auto' or a range within 0-{count - 1}."
        )
    return tuple(range(int(found[1]), int(found[2]) + 1))


def choose_layers(model: ChatModel, vectors: Float[Tensor, "layer width"], settings: ScansSettings) -> Layers:
    """The blocks that the settings ask for; by depth where 'auto' finds none.

    Raises:
        UserError: If a given range does not fit the model.
    """
    given = given_range(settings.layers, len(model.blocks))
    if given is not None:
        return Layers(given, "given")
    if settings.layers == "depth":
        return Layers(by_depth(len(model.blocks)), "depth")
    counts = count_refusal_words(model, vectors)
    found = tuple(index for index, count in enumerate(counts) if count >= settings.refusal_words)
    if not found:
        return Layers(by_depth(len(counts)), f"depth, since no layer points at {settings.refusal_words} refusal words")
    return Layers(found, f"{settings.refusal_words} refusal words among the {NEAREST} nearest tokens")


@torch.no_grad()
def count_refusal_words(model: ChatModel, vectors: Float[Tensor, "layer width"]) -> list[int]:
    """How many of the tokens that each layer's vector points at are refusal words.

    The vectors pass through whatever stands behind the last block (final norm, unembedding) in place of its output,
    so no family needs to be known.
    """

    def show(_: Block, stream: Tensor) -> Tensor:
        return vectors[:, None].to(stream.device, stream.dtype)

    ids: Int[Tensor, "layer token"] = torch.zeros(len(vectors), 1, dtype=torch.long, device=model.device)
    with changed_outputs(model.blocks[-1:], show):
        output = model.network(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    logits: Tensor = output.logits[:, -1]
    nearest = logits.topk(min(NEAREST, logits.shape[-1])).indices.tolist()
    wanted = _single_tokens(model, REFUSAL_WORDS)
    return [len(wanted.intersection(row)) for row in nearest]


def _single_tokens(model: ChatModel, words: Sequence[str]) -> set[int]:
    """Tokens that stand for a whole word: small, capitalised, and within a sentence."""
    forms = [form for word in words for form in (word, word.capitalize(), f" {word}", f" {word.capitalize()}")]
    encoded = [model.encode_reply(form)[:-1] for form in forms]
    return {tokens[0] for tokens in encoded if len(tokens) == 1}
