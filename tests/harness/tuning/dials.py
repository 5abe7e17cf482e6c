"""A method with settings to search, and alignment data to search on, for tests of tuning."""

# ruff: noqa: ANN401, ARG002 - as in tests/harness/fakes.py

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.base import AlignmentData, Intent, Prompt, Reply, Split
from benchmarks.errors import UserError
from methods.base import Cost, GenerationSettings, Progress
from methods.default import Default
from methods.settings import Range, setting
from tests.harness.fakes import FakeModel, answered, prompt


@dataclass
class DialModel(FakeModel):
    """Refuses a share of the harmful prompts, and a smaller one of the benign."""

    share: float = 0.0
    words: int = 12

    def _reply(self, prompt: Prompt, settings: GenerationSettings) -> Reply:
        if not self.words:
            return Reply(prompt.id, "")
        place = int(prompt.id.rsplit("-", 1)[1]) % 10 / 10
        is_refused = place < (self.share if prompt.intent is Intent.HARMFUL else self.share**4)
        if is_refused:
            return Reply(prompt.id, "I'm sorry, I cannot help with that.")
        return Reply(prompt.id, "Sure, " + " ".join(f"word{number}" for number in range(self.words)))


MISHAPS = ("raise", "nan", "check", "unsure", "leak")


@dataclass(frozen=True)
class DialSettings:
    """Of `Dial`."""

    share: float = setting(0.2, "How much is refused.", source="our choice", low=0, high=2, search=Range(0, 1))
    words: int = setting(12, "How much is said.", source="our choice", low=0, search=Range(1, 64, log=True))
    manner: str = setting("calm", "What goes wrong.", source="our choice", search=("calm", "wild"))
    cost: float = setting(5.0, "Forward equivalents of the fit.", source="our choice", low=0)
    most: float = setting(1.0, "Largest share that the check lets pass.", source="our choice", low=0)
    wild: str = setting("", "What `wild` does.", source="our choice", choices=("", *MISHAPS))


@dataclass
class FittedDial:
    share: float
    words: int
    cost: Cost

    @contextmanager
    def applied(self, model: FakeModel) -> Iterator[FakeModel]:
        known = {name: getattr(model, name) for name in ("batches", "largest_batch", "dies_at_call", "name")}
        yield DialModel(**known, share=self.share, words=self.words)

    def save(self, folder: Path) -> None:
        (folder / "dial.json").write_text(json.dumps([self.share, self.words, self.cost.forward_equivalents]))

    def diagnostics(self) -> Mapping[str, Any]:
        return {}


class Dial(Default):
    """Refuses as much as it is told."""

    name: ClassVar[str] = "dial"
    is_seeded: ClassVar[bool] = True
    settings_type: ClassVar[type] = DialSettings
    fits: ClassVar[list[Mapping[str, Any]]] = []

    def check(self, model: Any, data: AlignmentData) -> None:
        if self._is("check") or self.settings.share > self.settings.most:
            raise UserError("'dial' cannot refuse that much.")

    def fit(self, model: Any, data: AlignmentData, seed: int, progress: Progress) -> Any:
        self.fits.append({"share": self.settings.share, "words": self.settings.words, "seed": seed})
        if self._is("raise"):
            raise ZeroDivisionError("no neuron left")
        if self._is("leak"):
            model.network.register_forward_hook(lambda *_: None)
        cost = Cost(forward_equivalents=self.settings.cost, extra_passes_per_reply=0.5)
        words = 0 if self._is("unsure") else self.settings.words
        fitted = FittedDial(self.settings.share, words, cost)
        if self._is("nan"):
            fitted.cost = replace(cost, seconds=float("nan"))
        return fitted

    @staticmethod
    def load(folder: Path) -> Any:
        share, words, cost = json.loads((folder / "dial.json").read_text())
        return FittedDial(share, words, Cost(forward_equivalents=cost))

    def _is(self, mishap: str) -> bool:
        return bool(self.settings.manner == "wild" and self.settings.wild == mishap)


def alignment() -> AlignmentData:
    """20 harmful and 20 benign dev prompts, and as many train prompts."""

    def prompts(split: Split, first: int) -> tuple[Prompt, ...]:
        return tuple(answered(prompt(first + place, intent, split)) for intent in Intent for place in range(20))

    return AlignmentData("dials", prompts(Split.TRAIN, 100), prompts(Split.DEV, 0))


def silent() -> AlignmentData:
    """The same, and a benign question without a useful reply."""
    whole, lacking = alignment(), prompt(1, Intent.BENIGN, Split.TRAIN)
    return replace(whole, train=(*whole.train, replace(lacking, id="lacking", question_id="lacking")))


def trials(folder: Path) -> list[dict[str, Any]]:
    """All records on disk, without what no two processes share."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("trials/*/trial.json"))]
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def counted(folder: Path) -> list[dict[str, str]]:
    """The rows of the table of trials."""
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))
