"""Putting it together: the contract of an engine, which loads chat models and says what they can do."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from methods.base import ChatModel, Requirements


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model to load, and how."""

    name: str
    """`embedded`, `embedded-base`, a hub id or a folder."""
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"


class Engine(Protocol):
    """Loads chat models."""

    name: ClassVar[str]
    offers: ClassVar[Requirements]

    def load(self, spec: ModelSpec) -> ChatModel:
        """Load a model, ready to answer.

        Raises:
            UserError: If it cannot be found or has no chat template.
        """
