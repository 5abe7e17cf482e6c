"""Where replies are made: by the network that methods work on, or by a server that takes over what they did to it."""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from harness.batching import AUTOMATIC
from methods.base import ChatModel, Fitted


@runtime_checkable
class Server(Protocol):
    """A chat model whose replies come from another network than the one that methods see."""

    batch_size: int
    """Prompts that it is best given at once; it does its own batching."""

    @property
    def local(self) -> ChatModel:
        """The model that methods are fitted on: what they learn does not depend on the server."""

    def serving(self, fitted: Fitted) -> AbstractContextManager[ChatModel]:
        """As `fitted.applied`, for the server: weights it edits and hooks it sets act there, or it is refused."""


def preferred_batch(model: ChatModel) -> int:
    """What `--batch-size auto` starts with."""
    return model.batch_size if isinstance(model, Server) else AUTOMATIC


def learner(model: ChatModel) -> ChatModel:
    """What methods are fitted on."""
    return model.local if isinstance(model, Server) else model


def serving(fitted: Fitted, model: ChatModel) -> AbstractContextManager[ChatModel]:
    """Protect `model` inside the `with` block, wherever its replies are made."""
    return model.serving(fitted) if isinstance(model, Server) else fitted.applied(model)
