"""A chat model that stands before another: where a method owns the flow of a generation, it overrides what it changes.

Hooks of the method and of models nested inside may run at once. A row's decision belongs to its prompt, so look it up
by the id in `running.prompts`; whoever rewrites a prompt keeps its id.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.base import Prompt, Reply
from methods.base import Block, ChatModel, ForwardState, GenerationSettings, PromptTokens, Requirements

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float
    from torch import Tensor, nn


class Wrapped:
    """All of `inner`, to be overridden in part."""

    def __init__(self, inner: ChatModel) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """Of the model inside."""
        return self.inner.name

    @property
    def offers(self) -> Requirements:
        """Of the model inside."""
        return self.inner.offers

    @property
    def network(self) -> "nn.Module":
        """The module itself."""
        return self.inner.network

    @property
    def blocks(self) -> Sequence[Block]:
        """Decoder blocks, first to last."""
        return self.inner.blocks

    @property
    def device(self) -> "torch.device":
        """Where inputs belong."""
        return self.inner.device

    @property
    def dtype(self) -> "torch.dtype":
        """Of the weights."""
        return self.inner.dtype

    @property
    def running(self) -> ForwardState | None:
        """What the forward pass that runs now is about."""
        return self.inner.running

    def encode(self, prompt: Prompt) -> PromptTokens:
        """Token ids of a prompt."""
        return self.inner.encode(prompt)

    def encode_reply(self, text: str) -> tuple[int, ...]:
        """Token ids of a finished reply."""
        return self.inner.encode_reply(text)

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """One reply a prompt, in order."""
        return self.inner.generate(prompts, settings)

    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> "list[list[Float[Tensor, ' token']]]":
        """Natural log-probabilities of continuations."""
        return self.inner.log_probabilities(prompts, continuations)
