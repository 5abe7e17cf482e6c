"""What a model thinks before it speaks: the marks that families put around it, and a reply without it."""

from collections.abc import Mapping

MARKS: Mapping[str, str] = {
    "<think>": "</think>",  # DeepSeek-R1, Qwen3, EXAONE and most others
    "<thinking>": "</thinking>",
    "<|begin_of_thought|>": "<|end_of_thought|>",  # OpenThinker, Sky-T1
    "<|START_THINKING|>": "<|END_THINKING|>",  # Command A Reasoning
    "[THINK]": "[/THINK]",  # Magistral
    "<seed:think>": "</seed:think>",  # Seed-OSS
    "◁think▷": "◁/think▷",  # Kimi
}
"""The end of a thought by its beginning."""
CHANNEL = "<|channel|>"
"""What gpt-oss begins each of several messages of one turn with, thoughts among them: no pair of marks."""


def left_open(text: str) -> str:
    """The mark that would end the thought which a prompt opens at its end; empty where it opens none."""
    said = text.rstrip()
    return next((end for begin, end in MARKS.items() if said.endswith(begin)), "")


def without_thinking(text: str, end: str = "") -> str:
    """What is said after a thought at the start; nothing where the thought does not end.

    Args:
        text: What was written.
        end: The mark that ends a thought which began in the prompt.
    """
    end = end or next((end for begin, end in MARKS.items() if text.startswith(begin)), "")
    return text.partition(end)[2].strip() if end else text
