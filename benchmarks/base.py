"""What is asked and what comes back: the nouns that every other folder shares.

A `Benchmark` is a named, hashed list of `Prompt`s. A model answers a prompt with a `Reply`. `AlignmentData` is all
that a method may learn from; test prompts cannot be put into it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Literal

from benchmarks.errors import UserError
from benchmarks.withholding import refuse_if_withheld

Role = Literal["system", "user", "assistant"]
Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


class Intent(StrEnum):
    """What the asker is after, as the benchmark's authors label it."""

    HARMFUL = "harmful"
    BENIGN = "benign"


class Split(StrEnum):
    """What a prompt may be used for. The unit that is split is the question, not the row."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Kind(StrEnum):
    """How a benchmark is answered."""

    GENERATION = "generation"
    MULTIPLE_CHOICE = "multiple_choice"
    """By the log-probabilities of the options' letters."""
    WRITTEN_CHOICE = "written_choice"
    """A multiple-choice question that is answered in words, out of which the letter is read."""
    TASK = "task"
    """Of lm-evaluation-harness, which asks and scores by itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Attack:
    """How a question was disguised."""

    categories: tuple[str, ...]
    """Strategies at work, for instance `("pretending",)`. SafeEdit often joins several in one text."""
    template: str
    """Name of the template."""

    @property
    def is_single(self) -> bool:
        """Whether one strategy alone is at work, as NeuronTune's strategic attack selection asks (appendix A.6)."""
        return len(self.categories) == 1


@dataclass(frozen=True, slots=True)
class References:
    """Answers that come with a question, where its source has them."""

    safe: str | None = None
    unsafe: str | None = None
    useful: str | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of a multiple-choice question."""

    options: tuple[str, ...]
    answer: int
    """Index of the right option."""


@dataclass(frozen=True, slots=True)
class EditInstance:
    """What SafeEdit gives to edit a model with before it answers the inputs of one test instance."""

    id: str
    """Equal for all inputs of one instance, so that their scores can be paired."""
    attacked: str
    """The adversarial prompt."""
    safe: str
    """A safe reply to it."""
    unsafe: str
    """An unsafe reply to it."""
    benign: str
    """A benign question, whose answer is to stay as it is."""
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question put to a model."""

    id: str
    messages: tuple[Message, ...]
    intent: Intent
    question_id: str
    """Equal for all disguises of one question: splits keep them together."""
    plain: str
    """The question without any attack."""
    source: str
    split: Split
    category: str = ""
    """The source's own topic label, for breakdowns."""
    attack: Attack | None = None
    references: References = field(default_factory=References)
    choices: Choices | None = None
    is_raw: bool = False
    """Whether the contents of the messages are joined as they are and no chat template is put around them: few-shot
    questions as lm-evaluation-harness asks them. Each user's turn but the last is then a shot with its answer after it;
    the first ones are dropped where the context is too short."""
    instance: EditInstance | None = None
    """What a model may be edited with before it answers, where the source has it. To learn from it is to learn from a
    test prompt, so methods do it only where they are told to."""

    def without_attack(self) -> "Prompt":
        """The same question asked plainly: q of (p, q) in NeuronTune's section 3.1."""
        return Prompt(
            id=f"{self.id}/plain",
            messages=(Message("user", self.plain),),
            intent=self.intent,
            question_id=self.question_id,
            plain=self.plain,
            source=self.source,
            split=self.split,
            category=self.category,
            references=self.references,
        )


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named list of test prompts from one source."""

    name: str
    title: str
    kind: Kind
    intent: Intent
    prompts: tuple[Prompt, ...]
    source: str
    revision: str
    licence: str
    dropped: int = 0
    """Questions left out since a method may learn from them or be tuned on them; of a set to learn from, those that are
    left out since tests ask them."""

    def __post_init__(self) -> None:
        refuse_if_withheld(self.name)

    @property
    def content_hash(self) -> str:
        """SHA-256 over every prompt, in order: equal hashes mean equal questions."""
        return content_hash(self.prompts)

    def limited(self, limit: int | float | None) -> "Benchmark":
        """The first `limit` prompts, or that share of them when it is below 1.

        Raises:
            UserError: If nothing would be left.
        """
        if limit is None:
            return self
        count = round(limit * len(self.prompts)) if isinstance(limit, float) and limit < 1 else int(limit)
        if count < 1:
            raise UserError(
                f"--limit {limit} leaves no prompt of '{self.name}' ({len(self.prompts)} there). "
                "Give a whole number from 1, or a share between 0 and 1."
            )
        return replace(self, prompts=self.prompts[:count])


@dataclass(frozen=True, slots=True)
class AlignmentData:
    """Everything that a method may learn from or be tuned on: train and dev prompts, never test prompts."""

    name: str
    train: tuple[Prompt, ...]
    dev: tuple[Prompt, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know of it, in words: which sets it is made of, what stands in for what, what was left out."""

    def __post_init__(self) -> None:
        for prompts, split in ((self.train, Split.TRAIN), (self.dev, Split.DEV)):
            strays = [prompt.id for prompt in prompts if prompt.split is not split]
            if strays:
                raise ValueError(
                    f"'{strays[0]}' is not a {split} prompt: alignment data holds train and dev prompts only"
                )
        shared = {prompt.question_id for prompt in self.train} & {prompt.question_id for prompt in self.dev}
        if shared:
            raise ValueError(f"question '{min(shared)}' is in train and in dev: the split is by question")

    @property
    def content_hash(self) -> str:
        """SHA-256 over every prompt of both splits."""
        return content_hash((*self.train, *self.dev))

    def harmful(self, split: Split = Split.TRAIN) -> tuple[Prompt, ...]:
        """Prompts with harmful intent of one split, attacked ones among them."""
        return tuple(prompt for prompt in self._of(split) if prompt.intent is Intent.HARMFUL)

    def benign(self, split: Split = Split.TRAIN) -> tuple[Prompt, ...]:
        """Prompts with benign intent of one split."""
        return tuple(prompt for prompt in self._of(split) if prompt.intent is Intent.BENIGN)

    def _of(self, split: Split) -> tuple[Prompt, ...]:
        if split is Split.TEST:
            raise ValueError("alignment data holds no test prompts")
        return self.train if split is Split.TRAIN else self.dev


class StopReason(StrEnum):
    """Why a reply ended."""

    END = "end"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Reply:
    """What an arm said to a prompt."""

    prompt_id: str
    text: str
    token_ids: tuple[int, ...] = ()
    stop: StopReason = StopReason.END
    seconds: float = 0.0
    """Wall-clock share of this reply in its batch."""
    action: Mapping[str, Json] = field(default_factory=dict)
    """What the method did to this reply, for instance `{"steered": 1}`."""
    option_log_probabilities: tuple[float, ...] | None = None
    """One log-probability per option, for multiple-choice questions; `text` is then the chosen letter."""
    raw: str | None = None
    """All that was written, where `text` leaves out what the model thought before it spoke."""

    @property
    def is_cut_thought(self) -> bool:
        """Whether the model was still thinking at the limit of its tokens, so that it said nothing."""
        return self.stop is StopReason.LENGTH and self.raw is not None and not self.text


BenchmarkLoader = Callable[[], Benchmark]
AlignmentLoader = Callable[[], AlignmentData]


def content_hash(prompts: Sequence[Prompt]) -> str:
    """SHA-256 of the prompts as canonical JSON."""
    digest = hashlib.sha256()
    for prompt in prompts:
        record = asdict(prompt)
        if not prompt.is_raw:
            del record["is_raw"]  # so that hashes of runs from before there was such a thing hold
        if prompt.instance is None:
            del record["instance"]  # likewise
        digest.update(json.dumps(record, sort_keys=True, ensure_ascii=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()
