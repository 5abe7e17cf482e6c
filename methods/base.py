"""What is compared: the contract of a method, of what it leaves behind after fitting, and of the model it works on.

A `Method` is fitted on alignment data and gives a `Fitted`. Inside `with fitted.applied(model) as protected:` the model
is protected; afterwards it is, to the bit, what it was. `protected` is a `ChatModel` like `model`, so arms nest, and a
method may own the flow of a generation: decide a sign per prompt, look at a hidden state, answer again.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from benchmarks.base import AlignmentData, Prompt, Reply

if TYPE_CHECKING:  # the command line lists methods without importing torch
    import torch
    from jaxtyping import Bool, Float, Int
    from torch import Tensor, nn


class Fidelity(StrEnum):
    """How close an implementation is to what its paper describes."""

    FAITHFUL = "faithful"
    ADAPTED = "adapted"
    PAPER_ONLY = "from the paper only"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a method needs of a model, or what an engine offers. Checked before any work starts."""

    activations: bool = False
    """Read and change hidden states while the model runs."""
    gradients: bool = False
    """Differentiate through the network."""
    weights: bool = False
    """Read and edit weights."""
    neurons: bool = False
    """Name and edit the neurons of a dense feed-forward part in every block; mixtures of experts have none."""
    base_checkpoint: bool = False
    """The checkpoint before alignment, beside the aligned one."""
    gradients_while_serving: bool = False
    """Differentiate and edit between two replies, where the network that learns is the one that answers."""

    def missing_from(self, offered: "Requirements") -> tuple[str, ...]:
        """Names of what is needed and not offered."""
        there = asdict(offered)
        return tuple(name.replace("_", " ") for name, needed in asdict(self).items() if needed and not there[name])


@dataclass(frozen=True, slots=True)
class Cost:
    """What fitting took, and what each reply will take more than without the method."""

    seconds: float = 0.0
    forward_equivalents: float = 0.0
    """Unit: one forward pass of one sequence through all blocks and, for its reply, the output layer. A backward pass
    to the activations counts as one."""
    peak_bytes: int = 0
    """The most memory that fitting took at any time, beyond what was held before it, the model's weights above all."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Forward equivalents by stage of the fit."""
    forward_equivalents_per_sample: float = 0.0
    """Of attribution, mean over the attributed samples; 0 for methods that attribute nothing."""
    extra_tokens_per_reply: float = 0.0
    extra_passes_per_reply: float = 0.0


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How replies are decoded. Greedy: every arm says what it thinks most likely."""

    max_new_tokens: int = 512


class Phase(StrEnum):
    """Whether the network is reading prompts or writing replies."""

    PREFILL = "prefill"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class ForwardState:
    """What the forward pass that runs now is about. Hooks read it; they never infer it from a tensor's length."""

    phase: Phase
    prompts: tuple[Prompt, ...]
    """One a row."""
    positions: "Int[Tensor, 'row token']"
    """Absolute position of every token in its own row; negative on padding."""
    prompt_end: "Int[Tensor, ' row']"
    """Position of the last prompt token of every row."""

    @property
    def is_after_prompt(self) -> "Bool[Tensor, 'row token']":
        """True at the last prompt token and at every reply token: where a state bears on the reply alone."""
        return self.positions >= self.prompt_end[:, None]


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Token ids of a prompt as the model sees it, and where its landmarks lie."""

    ids: tuple[int, ...]
    user_end: int
    """Index of the last token of the user's turn, before the header of the assistant's."""

    @property
    def last(self) -> int:
        """Index of the last prompt token: the one that predicts the first reply token."""
        return len(self.ids) - 1


@dataclass(frozen=True, slots=True)
class FeedForward:
    """The dense feed-forward part of a block, whose neurons are the inputs of its last linear layer."""

    down_projection: "nn.Module"
    """Its input holds the neurons: `act(gate(x)) * up(x)`, or `act(fc(x))` where there is no gate."""
    down_weight: str
    """Name of the down-projection's weight in the network's state."""
    neurons: int
    neuron_axis: int
    """Axis of that weight which runs over neurons: 1, or 0 for GPT-2's transposed layers."""


@dataclass(frozen=True, slots=True)
class Block:
    """One decoder block, its parts found by structure."""

    index: int
    module: "nn.Module"
    """Its output is the residual stream after this block."""
    attention_output: "nn.Module"
    feed_forward: FeedForward | None
    """None in a mixture of experts."""

    @property
    def dense(self) -> FeedForward:
        """The feed-forward part, for methods whose requirements name neurons.

        Raises:
            ValueError: If the block is a mixture of experts.
        """
        if self.feed_forward is None:
            raise ValueError(f"block {self.index} has no dense feed-forward part")
        return self.feed_forward


class ChatModel(Protocol):
    """A chat model behind one engine. Rows of a batch never influence each other."""

    @property
    def name(self) -> str:
        """Id or folder it was loaded from."""

    @property
    def offers(self) -> Requirements:
        """What methods may ask of it."""

    @property
    def network(self) -> "nn.Module":
        """The module itself, in evaluation mode: called with ids, mask and positions, it gives logits."""

    @property
    def blocks(self) -> "Sequence[Block]":
        """Decoder blocks, first to last."""

    @property
    def device(self) -> "torch.device":
        """Where inputs belong."""

    @property
    def dtype(self) -> "torch.dtype":
        """Of the weights."""

    @property
    def running(self) -> ForwardState | None:
        """What the forward pass that runs now is about; None outside `generate` and `log_probabilities`."""

    def encode(self, prompt: Prompt) -> PromptTokens:
        """The one place where a prompt becomes token ids: chat template on, one beginning-of-text token."""

    def encode_reply(self, text: str) -> tuple[int, ...]:
        """Token ids of a finished reply, the end-of-turn token included."""

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """One reply a prompt, in the order of the prompts, as one batch."""

    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> "list[list[Float[Tensor, ' token']]]":
        """For every prompt and each of its continuations, the natural log-probability of every continuation token."""


class Progress(Protocol):
    """Told about work under way."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of `stage` are finished."""


class Fitted(Protocol):
    """An arm of the comparison: what fitting left behind."""

    @property
    def cost(self) -> Cost:
        """Of fitting, and per reply."""

    def applied(self, model: ChatModel) -> AbstractContextManager[ChatModel]:
        """Protect `model` inside the `with` block; leave it bit-identical and without hooks, also after an error."""

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON into `folder`, nothing executable; `load` of the method reads them back."""

    def diagnostics(self) -> Mapping[str, Any]:
        """Small JSON-ready facts about the fit, for the report.

        Under `warnings`, a list of sentences that the user is warned with; `losses` that rise are warned of, too.
        """


@runtime_checkable
class Foldable(Protocol):
    """A fitted arm that is a pure edit of the weights, so that any engine serves it at no extra cost."""

    def fold(self, weights: "Mapping[str, Tensor]", blocks: Sequence[Block]) -> "dict[str, Tensor]":
        """The edited tensors, by name; tensors that stay as they are are left out."""


class Method(Protocol):
    """A way of making a chat model safer, as one paper describes it."""

    name: ClassVar[str]
    paper: ClassVar[str]
    fidelity: ClassVar[Fidelity]
    deviations: ClassVar[tuple[str, ...]]
    """Where we depart from the paper, or had to choose, one sentence each."""
    needs: ClassVar[Requirements]
    is_seeded: ClassVar[bool]
    """Whether the fit depends on the seed; an arm that does not is run once."""
    settings_type: ClassVar[type]
    """A frozen dataclass whose fields come from `methods.settings.setting`."""
    neutral: ClassVar[Mapping[str, Any]]
    """Settings under which the method changes no reply: strength zero. The conformance kit holds it to that."""
    small: ClassVar[Mapping[str, Any]]
    """Settings with which it fits a tiny random model in about a second, for the conformance kit."""

    def __init__(self, settings: Any) -> None: ...  # noqa: ANN401

    @property
    def settings(self) -> Any:  # noqa: ANN401 - of the method's own settings type
        """The settings it was made with."""

    def check(self, model: ChatModel, data: AlignmentData) -> None:
        """Refuse before any work what cannot be done with this model and data.

        Raises:
            UserError: Naming what is missing and what would do.
        """

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:
        """Learn from train prompts, choose on dev prompts; the model is left as it was."""

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read back what `Fitted.save` wrote."""
