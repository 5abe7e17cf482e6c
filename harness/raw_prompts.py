"""Prompts without a chat template: text goes to the model as it stands, as lm-evaluation-harness 0.4.13 puts it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from benchmarks.base import Message, Prompt
from methods.base import PromptTokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def raw_text(messages: Sequence[Message]) -> str:
    """Contents one after the other; what stands between them is part of them."""
    return "".join(message.content for message in messages)


def encode_raw(
    tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, context: int | None, *, is_plain: bool = False
) -> PromptTokens:
    """Token ids of the text, with the special tokens that the tokenizer puts around any text.

    While they are more than `context`, the first shot is dropped; where none is left, the first tokens are. Special
    tokens that the text spells out are plain text where it `is_plain`.
    """
    messages: Sequence[Message] | None = prompt.messages
    ids: list[int] = []
    while messages:
        ids = list(tokenizer(raw_text(messages), split_special_tokens=is_plain)["input_ids"])
        messages = _without_a_shot(messages) if context and len(ids) > context else None
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = ids or [start]  # something must stand before what follows, also after no text at all
    kept = tuple(ids[-context:] if context else ids)
    return PromptTokens(kept, user_end=len(kept) - 1)


def continuation_of_raw(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, text: str) -> list[int]:
    """Tokens that the last line of a raw prompt gains when `text` follows it.

    The line stands for the whole prompt, since no tokenizer of a supported family joins tokens across a line's start.
    """
    before = raw_text(prompt.messages)
    line = before[before.rstrip().rfind("\n") + 1 :]
    return list(_gained(tokenizer, line, text))


@lru_cache(maxsize=4096)
def _gained(tokenizer: "PreTrainedTokenizerBase", line: str, text: str) -> tuple[int, ...]:
    """Questions end in the same line again and again."""
    together, alone = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (line + text, line))
    return tuple(together[len(alone) :])


def _without_a_shot(messages: Sequence[Message]) -> Sequence[Message] | None:
    """The messages without the first user's turn and the answer after it; None where that turn is the question."""
    turns = [index for index, message in enumerate(messages) if message.role == "user"]
    if len(turns) < 2:
        return None
    return (*messages[: turns[0]], *messages[turns[0] + 2 :])
