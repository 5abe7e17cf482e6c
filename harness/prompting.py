"""The one place where a conversation becomes token ids and written ids become a reply, for every engine. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarks.base import Prompt, Reply, StopReason
from harness.control_tokens import ESCAPED, KEPT, ControlTokens
from harness.raw_prompts import continuation_of_raw, encode_raw
from harness.thoughts import MARKS, left_open, without_thinking
from methods.base import PromptTokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATE = date(2024, 7, 26)
"""The date that templates are told: the one that Llama 3.1's writes by itself. A run of tomorrow asks the same."""

_ANSWER = "zebra"
"""Stands for an assistant's words; no template says it by itself."""
Conversation = list[dict[str, str]]


@dataclass(frozen=True)
class Prompting:
    """A tokenizer with its chat template, a system turn for all prompts, and the date that the template is told."""

    tokenizer: "PreTrainedTokenizerBase"
    system: str | None = None
    """Stands before a prompt's own system turn; None: what the template does by itself."""
    today: date = DATE
    control_tokens: str = KEPT
    """What becomes of special tokens that a prompt spells out: kept, or escaped to plain text."""

    def encode(self, prompt: Prompt, context: int | None = None) -> PromptTokens:
        """Chat template on; special tokens come from the template alone, so that none is doubled.

        Args:
            prompt: A raw one gets no template, and the special tokens that the tokenizer puts around any text.
            context: Most tokens that the model can read, to which raw prompts are cut.
        """
        if prompt.is_raw:
            return encode_raw(self.tokenizer, prompt, context, is_plain=self.control_tokens == ESCAPED)
        conversation = self._conversation(prompt)
        ids = self._begun_once(self.render(conversation))
        without_header = self._begun_once(self.render(conversation, with_header=False))
        user_end = len(without_header) - 1 if ids[: len(without_header)] == without_header else len(ids) - 1
        return PromptTokens(tuple(ids), user_end)

    def encode_reply(self, text: str) -> tuple[int, ...]:
        """The reply's tokens and, where there is one, the end of the assistant's turn."""
        end = self.end_of_turn
        return (*self.tokens(text), *([] if end is None else [end]))

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, to which the tokenizer adds nothing."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def continuation(self, prompt: Prompt, text: str) -> list[int]:
        """Token ids of a text where it goes on from a prompt.

        A reply begins anew after a template's header. Raw text goes on within its line, so the tokens are those that
        the line gains, as in lm-evaluation-harness.
        """
        return continuation_of_raw(self.tokenizer, prompt, text) if prompt.is_raw else self.tokens(text)

    def render(self, conversation: Conversation, *, with_header: bool = True) -> str:
        """What the template writes, with or without the opening of the assistant's turn."""
        text = self.tokenizer.apply_chat_template(
            conversation,
            tokenize=False,
            add_generation_prompt=with_header,
            date_string=f"{self.today:%d %b %Y}",  # Llama 3.1 and 3.2
            strftime_now=self.today.strftime,  # stands before the function of this name that reads the clock
        )
        return str(text)

    def reply(self, prompt: Prompt, written: Sequence[int], stops: Sequence[int], seconds: float) -> Reply:
        """The reply in what was written after a prompt, up to the first of `stops`, its thinking kept apart."""
        end = next((index for index, token in enumerate(written) if token in stops), None)
        kept = tuple(written if end is None else written[:end])
        raw = self._decoded(kept)
        text = without_thinking(raw, self._end_of_open_thought)
        stop = StopReason.LENGTH if end is None else StopReason.END
        return Reply(prompt.id, text, kept, stop, seconds, raw=None if text == raw else raw)

    def stops(self, configured: int | Sequence[int] | None) -> list[int]:
        """Tokens that end a reply: those of the generation configuration, of the tokenizer and of the template."""
        listed = configured if isinstance(configured, Sequence) else [configured]
        found = (*listed, self.tokenizer.eos_token_id, self.end_of_turn)
        return sorted({int(token) for token in found if token is not None})

    @cached_property
    def end_of_turn(self) -> int | None:
        """The token that the template puts after an assistant's words; the end-of-text token where it puts none."""
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _ANSWER}]
        after = self.tokens(self.render(turns, with_header=False).rpartition(_ANSWER)[2])
        special = self._special
        return next((token for token in after if token in special), self.tokenizer.eos_token_id)

    @cached_property
    def opens_thinking(self) -> bool:
        """Whether the opening of the assistant's turn ends inside of a thought, as that of DeepSeek-R1 does."""
        return bool(self._end_of_open_thought)

    @cached_property
    def _end_of_open_thought(self) -> str:
        return left_open(self.render([{"role": "user", "content": "a"}]))

    @cached_property
    def padding(self) -> int:
        """A token to fill rows with. It stands behind the mask, so any will do where the tokenizer names none."""
        named = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((int(token) for token in named if token is not None), 0)

    @cached_property
    def _special(self) -> set[int]:
        """Phi-3 and others list the end of a turn among the added tokens alone."""
        added = self.tokenizer.added_tokens_decoder.items()
        return {*self.tokenizer.all_special_ids, *(number for number, token in added if token.special)}

    @cached_property
    def _marks(self) -> set[int]:
        """Special tokens that begin or end a thought: most tokenizers have these marks as plain text or not at all."""
        marks = {*MARKS, *MARKS.values()}
        added = self.tokenizer.added_tokens_decoder.items()
        return {number for number, token in added if token.content in marks} & self._special

    def _decoded(self, ids: Sequence[int]) -> str:
        """Text without special tokens, but for the marks around a thought."""
        has_marks = not self._marks.isdisjoint(ids)
        kept = (
            [token for token in ids if token in self._marks or token not in self._special] if has_marks else list(ids)
        )
        return str(self.tokenizer.decode(kept, skip_special_tokens=not has_marks)).strip()

    def _conversation(self, prompt: Prompt) -> Conversation:
        turns = [{"role": str(message.role), "content": self._said(message.content)} for message in prompt.messages]
        if self.system is None:
            return turns
        own = [turn["content"] for turn in turns[:1] if turn["role"] == "system"]
        text = "\n\n".join(part for part in (self.system, *own) if part)
        return [{"role": "system", "content": text}, *turns[len(own) :]]

    @cached_property
    def _controls(self) -> ControlTokens:
        return ControlTokens(self.tokenizer)

    def _said(self, text: str) -> str:
        return self._controls.hidden(text) if self.control_tokens == ESCAPED else text

    def _begun_once(self, text: str) -> list[int]:
        """Some tokenizers add the beginning of text whatever they are told, and the template has written it already."""
        ids = self._controls.tokens(text) if self.control_tokens == ESCAPED else self.tokens(text)
        begin = self.tokenizer.bos_token_id
        return ids[1:] if begin is not None and ids[:2] == [begin, begin] else ids
