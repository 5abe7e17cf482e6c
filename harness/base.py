"""Putting it together: the contract of an engine, which loads chat models and says what they can do."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Protocol

from harness.control_tokens import KEPT
from harness.prompting import DATE
from methods.base import ChatModel, Requirements


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model to load, and how."""

    name: str
    """`embedded`, `embedded-base`, a hub id or a folder."""
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    device_map: str | None = None
    """How `accelerate` spreads the model over devices, for instance `auto`; None: all on `device`."""
    quantize: str | None = None
    """`8bit` or `4bit`, through bitsandbytes; its weights can then not be edited."""
    attention: str | None = None
    """Implementation of attention as `transformers` names it: `sdpa`, `eager`, `flash_attention_2`."""
    trust_remote_code: bool = False
    """Whether code that comes with the checkpoint may run."""
    system_prompt: str | None = None
    """Stands before a prompt's own system turn; None: what the chat template does by itself."""
    today: date = DATE
    """What chat templates are told that today is."""
    control_tokens: str = KEPT
    """Whether special tokens that a prompt spells out are kept, or escaped to plain text."""


class Engine(Protocol):
    """Loads chat models."""

    name: ClassVar[str]
    offers: ClassVar[Requirements]

    def load(self, spec: ModelSpec) -> ChatModel:
        """Load a model, ready to answer.

        Raises:
            UserError: If it cannot be found or has no chat template.
        """
