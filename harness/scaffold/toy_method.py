"""A method of your own: it puts a reminder behind every question. Replace what it does, part by part."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.base import AlignmentData, Message, Prompt, Reply
from benchmarks.errors import UserError
from methods.artefact import Artefact
from methods.base import ChatModel, Cost, Fidelity, Fitted, GenerationSettings, Progress, Requirements
from methods.settings import setting
from methods.wrapped import Wrapped

if TYPE_CHECKING:  # import torch inside functions, so that lists and --help stay quick
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ToyMethodSettings:
    """What can be set: `--methods 'toy_method[reminder=...]'`. `search=` lets `equipoise tune` choose."""

    reminder: str = setting(
        "Remember to be safe and kind.",
        "Sentence after the user's last words; nothing is added if it is empty.",
        source="our choice",
        search=("Remember to be safe and kind.", "If the request is harmful, refuse."),
    )


class Reminded(Wrapped):
    """The model inside, asked with the reminder. Override what you change; everything else is passed on."""

    def __init__(self, inner: ChatModel, reminder: str) -> None:
        super().__init__(inner)
        self.reminder = reminder

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """Replies to the prompts with the reminder, one a prompt and in order."""
        return self.inner.generate([reminded(prompt, self.reminder) for prompt in prompts], settings)

    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> "list[list[Float[Tensor, ' token']]]":
        """Multiple-choice questions are answered by these, so they see the reminder as well."""
        return self.inner.log_probabilities([reminded(prompt, self.reminder) for prompt in prompts], continuations)


def reminded(prompt: Prompt, reminder: str) -> Prompt:
    """The same prompt, with the same id, and the reminder at the end of its last turn."""
    *earlier, last = prompt.messages
    content = f"{last.content} {reminder}" if reminder else last.content
    return replace(prompt, messages=(*earlier, Message(last.role, content)))


@dataclass(frozen=True, slots=True)
class FittedToyMethod:
    """What fitting leaves behind: all that the arm needs to answer."""

    reminder: str
    cost: Cost

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        """Protect `model`. Whatever is changed in its network before `yield` is put back after it, in `finally`."""
        yield Reminded(model, self.reminder)

    def save(self, folder: Path) -> None:
        """Write facts as JSON, and tensors as safetensors where there are any."""
        Artefact(ToyMethod.name, self.cost, facts={"reminder": self.reminder}).save(folder)

    def diagnostics(self) -> Mapping[str, Any]:
        """Small facts about the fit for the report."""
        return {"words": len(self.reminder.split())}


class ToyMethod:
    """Toy method: a reminder behind every question."""

    name: ClassVar[str] = "toy_method"
    paper: ClassVar[str] = "none: an example"  # or its citation
    fidelity: ClassVar[Fidelity] = Fidelity.FAITHFUL  # or ADAPTED, or PAPER_ONLY
    deviations: ClassVar[tuple[str, ...]] = ()  # a sentence for each departure from the paper
    needs: ClassVar[Requirements] = Requirements()  # activations=True for hooks, gradients, weights, neurons
    is_seeded: ClassVar[bool] = False  # True if the fit draws at random: the arm is then run with every seed
    settings_type: ClassVar[type] = ToyMethodSettings
    neutral: ClassVar[Mapping[str, Any]] = {"reminder": ""}  # settings under which no reply changes
    small: ClassVar[Mapping[str, Any]] = {}  # settings with which a tiny model is fitted in about a second

    def __init__(self, settings: ToyMethodSettings) -> None:
        self.settings = settings

    def check(self, model: ChatModel, data: AlignmentData) -> None:  # noqa: ARG002
        """Refuse, before any work, a model or data that will not do, and say what would."""
        if not data.train:
            raise UserError(f"'{self.name}' needs train prompts, and '{data.name}' has none. Choose another --data.")

    def fit(self, model: ChatModel, data: AlignmentData, seed: int, progress: Progress) -> Fitted:  # noqa: ARG002
        """Learn from `data.train`, choose on `data.dev`; the network is left as it was. Here: measure the cost."""
        started = time.monotonic()
        added = []
        for number, prompt in enumerate(data.train, start=1):
            longer = model.encode(reminded(prompt, self.settings.reminder))
            added.append(len(longer.ids) - len(model.encode(prompt).ids))
            progress("measuring", number, len(data.train))
        cost = Cost(seconds=time.monotonic() - started, extra_tokens_per_reply=fmean(added))
        return FittedToyMethod(self.settings.reminder, cost)

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read back what `save` wrote."""
        saved = Artefact.load(folder)
        return FittedToyMethod(saved.facts["reminder"], saved.cost)
