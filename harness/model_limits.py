"""What a model can read, held against what it will be given: ids within its embedding, texts within its positions."""

from collections.abc import Sequence
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
    """Of one model; 0 where its configuration does not say."""

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
        if not self.words:
            return
        rows = f"the embedding of model '{self.name}' has {self.words:,} rows"
        if prompting.padding >= self.words:
            text = f"the tokenizer pads with id {prompting.padding:,}, but {rows}; batches are filled up with 0"
            findings.add("padding", Level.WARNING, text)
        beyond = [token for token in prompting.tokens(prompting.render(_TALK)) if token >= self.words]
        if beyond:
            token = prompting.tokenizer.convert_ids_to_tokens(beyond[0])
            text = f"The chat template writes '{token}' (id {beyond[0]:,}), but {rows}."
            findings.add("template", Level.PROBLEM, f"{text} Give the tokenizer that the model was trained with.")

    def look_at_lengths(
        self, prompting: Prompting, benchmark: Benchmark, asked: Sequence[Prompt], tokens: int, findings: Findings
    ) -> None:
        """Tell how many prompts are too long, by themselves or with a reply of so many tokens."""
        room = tokens if benchmark.kind in (Kind.GENERATION, Kind.WRITTEN_CHOICE) else 0
        around = len(prompting.render(_TALK).encode())
        lengths = {one.id: _length(prompting, one, around, self.positions - room) for one in asked if self.positions}
        longest = max(lengths, key=lambda key: lengths[key], default="")
        too_long, tight = (sum(size + more > self.positions for size in lengths.values()) for more in (0, room))
        if too_long:
            text = f"{too_long:,} of {len(asked):,} prompts of benchmark '{benchmark.name}' are longer than the "
            text += f"{self.positions:,} tokens that model '{self.name}' reads; '{longest}' has {lengths[longest]:,}."
            findings.add("context", Level.PROBLEM, f"{text} Leave them out, or take a model that reads more.")
        elif tight:
            text = f"{tight:,} of {len(asked):,} prompts of '{benchmark.name}' leave no room for {room:,} tokens of a "
            text += f"reply: the longest has {lengths[longest]:,}, and model '{self.name}' reads {self.positions:,} "
            most = max(self.positions - lengths[longest], 1)
            findings.add("context", Level.WARNING, f"{text}with the reply. Give --max-new-tokens {most:,} or less.")


def _length(prompting: Prompting, prompt: Prompt, around: int, limit: int) -> int:
    """Tokens of a prompt; 0 where it is below the limit whatever its tokens are, since few need to be counted.

    Args:
        prompting: How it is asked.
        prompt: It may have many turns.
        around: Bytes that a template puts around a turn, at most.
        limit: In tokens.
    """
    turns = len(prompt.messages) * around
    said = sum(len(message.content.encode()) for message in prompt.messages)
    most = _TOKENS_PER_BYTE * (turns + said + len((prompting.system or "").encode()))
    return 0 if most <= limit else len(prompting.encode(prompt).ids)
