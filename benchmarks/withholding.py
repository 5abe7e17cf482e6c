"""Test prompts are withheld while a method is imported, made, checked or fitted: it may not ask for a benchmark then.

This stops a method that reaches for a benchmark by name or by its loader, by mistake or by habit. It is no sandbox: who
writes a file of test prompts into the method, or reads one from the disk, is not stopped.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class WithheldError(Exception):
    """A method asked for test prompts while it might have learnt from them."""


_SITUATION: ContextVar[str] = ContextVar("situation", default="")


@contextmanager
def withheld(who: str, activity: str) -> Iterator[None]:
    """Let no benchmark be made inside the block; `activity` completes "while it was ..."."""
    token = _SITUATION.set(f"{who} asked for test prompts (benchmark '{{}}') while it was {activity}.")
    try:
        yield
    finally:
        _SITUATION.reset(token)


def refuse_if_withheld(benchmark: str) -> None:
    """Called wherever a benchmark of that name is about to be had.

    Raises:
        WithheldError: Inside `withheld`.
    """
    situation = _SITUATION.get()
    if situation:
        raise WithheldError(situation.format(benchmark))
