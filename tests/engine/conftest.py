import pytest

from benchmarks.base import Intent, Message, Prompt, Split
from harness.transformers_model import TransformersModel
from tests.methods.tiny_models import tiny


@pytest.fixture(scope="session")
def model() -> TransformersModel:
    return tiny()


def prompt(*words: str, system: str = "") -> Prompt:
    """A user's turn, after a system's where one is given; extra words are turns that follow."""
    roles = ("user", "assistant") * len(words)
    turns = tuple(Message(role, text) for role, text in zip(roles, words, strict=False))
    messages = (Message("system", system), *turns) if system else turns
    return Prompt(words[0], messages, Intent.BENIGN, words[0], words[0], "test", Split.TEST)
