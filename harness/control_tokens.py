"""Special tokens that a user's text spells out, such as `<|im_start|>`: found, counted, and written as text if wanted.

They act as the template's own where they are kept: chat templates, and so most evaluations, do no other by default, and
attacks hold them on purpose. Escaped, each becomes the tokens of its characters, and all around it stays as it is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.base import Prompt
from harness.findings import Findings, Level

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEPT, ESCAPED = "kept", "escaped"
CONTROL_TOKENS = (KEPT, ESCAPED)
_BEGIN, _END = "\ue000", "\ue001"
"""Stand around the number of a token while the template writes: characters that belong to nobody."""


class ControlTokens:
    """Those of one tokenizer."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        found = {*added, *map(str, tokenizer.all_special_tokens)} - {""}
        self._names = sorted(found, key=lambda name: (-len(name), name))  # of two that fit, the longer is read
        self._pattern = re.compile("|".join(map(re.escape, self._names)) or r"(?!)")
        self._tokenizer = tokenizer

    def first_in(self, prompt: Prompt) -> str:
        """The first that the messages of a prompt spell out; empty where they spell out none."""
        hits = (self._pattern.search(message.content) for message in prompt.messages)
        return next((hit[0] for hit in hits if hit), "")

    def count(self, prompts: Iterable[Prompt]) -> int:
        """How many prompts spell one out."""
        return sum(bool(self.first_in(prompt)) for prompt in prompts)

    def hidden(self, text: str) -> str:
        """The text with a stand-in for each, which a template passes on."""
        return self._pattern.sub(lambda hit: f"{_BEGIN}{self._names.index(hit[0])}{_END}", text)

    def tokens(self, rendered: str) -> list[int]:
        """Token ids of what a template made of such texts; those of stand-ins are of characters."""
        pieces = re.split(f"{_BEGIN}(\\d+){_END}", rendered)
        always = len(self._ids(""))  # some tokenizers put a beginning before any text
        found = self._ids(pieces[0])
        for place, piece in enumerate(pieces[1:]):
            is_stand_in = place % 2 == 0
            text = self._names[int(piece)] if is_stand_in else piece
            found += self._ids(text, is_plain=is_stand_in)[always:]
        return found

    def _ids(self, text: str, *, is_plain: bool = False) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=is_plain)["input_ids"])


def control_token_counts(tokenizer: object, asked: Mapping[str, Sequence[Prompt]]) -> dict[str, int]:
    """By name, how many prompts spell out a control token; nothing for a model that has no such tokenizer."""
    if not hasattr(tokenizer, "added_tokens_decoder"):
        return {}
    controls = ControlTokens(tokenizer)  # type: ignore[arg-type] # it has what is asked of it
    return {name: count for name, prompts in asked.items() if (count := controls.count(prompts))}


def look_at_control_tokens(
    tokenizer: "PreTrainedTokenizerBase", asked: Mapping[str, Sequence[Prompt]], chosen: str, findings: Findings
) -> None:
    """Tell how many prompts of a benchmark, or of what is learnt from, spell one out, and what is done about it."""
    controls = ControlTokens(tokenizer)
    for name, prompts in asked.items():
        count = controls.count(prompts)
        first = next((hit for hit in map(controls.first_in, prompts) if hit), "")
        text = f"{count:,} of {len(prompts):,} prompts of '{name}' spell out a special token, '{first}' first"
        if count and chosen == KEPT:
            text += "; the model reads it as the template's own. --control-tokens escaped makes it plain text"
            findings.add("control tokens", Level.WARNING, text)
        elif count:
            findings.add("control tokens", Level.OK, f"{text}; it is written as plain text")
