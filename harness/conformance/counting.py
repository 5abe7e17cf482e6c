"""Count what a network is made to do, whoever calls it and through whatever hooks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from methods.base import ChatModel


@dataclass(slots=True)
class Passes:
    """Work of all blocks together, in rows and in tokens of those rows; a backward pass counts as one more."""

    layers: int
    rows: int = 0
    tokens: int = 0
    prompt_rows: int = 0
    """Rows of forward passes over more than one token: every read of a prompt, and no step of a reply."""
    prompt_tokens: int = 0
    backward_rows: int = 0

    @property
    def most(self) -> float:
        """Forward equivalents if every row that passed was a whole sequence."""
        return self.rows / self.layers

    def least(self, longest: int) -> float:
        """Forward equivalents if every sequence was as long as the longest."""
        return min(self.tokens / longest, self.rows) / self.layers

    def add_backward(self, rows: int, tokens: int) -> None:
        """One block has been differentiated through."""
        self.backward_rows += rows
        self.add(rows, tokens)

    def add(self, rows: int, tokens: int) -> None:
        """One block has run on a batch."""
        self.rows += rows
        self.tokens += rows * tokens


@contextmanager
def counted(model: ChatModel) -> Iterator[Passes]:
    """Count at the attention's output, which runs once in every block that runs."""
    passes = Passes(len(model.blocks))

    def count(_: nn.Module, __: object, output: Tensor) -> None:
        rows, tokens = output.shape[:2]
        passes.add(rows, tokens)
        if tokens > 1:
            passes.prompt_rows += rows
            passes.prompt_tokens += rows * tokens
        if output.requires_grad:
            output.register_hook(lambda _: passes.add_backward(rows, tokens))

    with ExitStack() as stack:
        for block in model.blocks:
            stack.callback(block.attention_output.register_forward_hook(count).remove)
        yield passes
