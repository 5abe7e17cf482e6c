"""What a model can read, held against what it will be given: ids within its embedding, texts within its positions."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass

from benchmarks.base import Benchmark, Kind, Prompt
from harness.checkpoints import Checkpoint
from harness.findings import Findings, Level
from harness.prompting import Prompting

_TALK = [{"role": role, "content": "a"} for role in ("user", "assistant", "user")]
_TOKENS_PER_BYTE = 2
"""More than any tokenizer makes of a byte, those that spell characters out among them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one model, named by 0 where its configuration does not say."""

    name: str
    words: int
    """Rows of the embedding."""
    positions: int
    """Tokens of prompt and reply."""

    @classmethod
    def of(cls, name: str, checkpoint: Checkpoint) -> "Limits":
        """As its configuration has it."""
        text = checkpoint.config.get_text_config()
        words, positions = (getattr(text, key, None) or 0 for key in ("vocab_size", "max_position_embeddings"))
        return cls(name, words, positions)

    def look_at_words(self, prompting: Prompting, findings: Findings) -> None:
        """Tell ids that the embedding has no row for: of padding, which can be replaced, and of the template."""
        padding = prompting.padding
        if self.words and padding >= self.words:
            text = f"the tokenizer pads with id {padding:,}, but the embedding of model '{self.name}' has"
            findings.add("padding", Level.WARNING, f"{text} {self.words:,} rows; rows of a batch are filled with 0")
        beyond = [token for token in prompting.tokens(prompting.render(_TALK)) if self.words and token >= self.words]
        if beyond:
            text = (
                f"The chat template writes '{prompting.tokenizer.convert_ids_to_tokens(beyond[0])}' (id {beyond[0]:,}"
            )
            text += f"), but the embedding of model '{self.name}' has {self.words:,} rows. Give the tokenizer that the"
            findings.add("template", Level.PROBLEM, f"{text} model was trained with.")

    def look_at_lengths(
        self, prompting: Prompting, benchmark: Benchmark, asked: Sequence[Prompt], tokens: int, findings: Findings
    ) -> None:
        """Tell how many prompts are too long, by themselves or with a reply of so many tokens."""
        room = tokens if benchmark.kind in (Kind.GENERATION, Kind.WRITTEN_CHOICE) else 0
        spare = self.positions - room - _TOKENS_PER_BYTE * len(prompting.render(_TALK).encode())
        lengths = {one.id: _length(prompting, one, spare) for one in asked if self.positions}
        longest = max(lengths, key=lambda key: lengths[key], default="")
        too_long = sum(length > self.positions for length in lengths.values())
        tight = sum(length + room > self.positions for length in lengths.values()) - too_long
        if too_long:
            text = (
                f"{_count(too_long, lengths)} of benchmark '{benchmark.name}' are longer than the {self.positions:,} "
            )
            text += (
                f"tokens that model '{self.name}' reads; '{longest}' has {lengths[longest]:,}. Leave them out, or take"
            )
            findings.add("context", Level.PROBLEM, f"{text} a model that reads more.")
        elif tight:
            text = f"{_count(tight, lengths)} of '{benchmark.name}' leave no room for {room:,} tokens of a reply: the "
            text += (
                f"longest has {lengths[longest]:,}, and model '{self.name}' reads {self.positions:,} with the reply. "
            )
            text += f"Give --max-new-tokens {max(self.positions - lengths[longest], 1):,} or less."
            findings.add("context", Level.WARNING, text)


def _length(prompting: Prompting, prompt: Prompt, spare: int) -> int:
    """Tokens of a prompt; 0 where `spare` holds it whatever its tokens are, since few need to be counted."""
    size = sum(len(message.content.encode()) for message in prompt.messages)
    return 0 if _TOKENS_PER_BYTE * size <= spare else len(prompting.encode(prompt).ids)


def _count(some: int, of: Sized) -> str:
    return f"{some:,} of {len(of):,} prompts"
