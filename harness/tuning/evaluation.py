"""Making one trial: fit on the alignment data, answer the dev prompts, judge the replies."""

import gc
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.errors import describe
from benchmarks.withholding import withheld
from harness.base import Engine
from harness.batching import BatchSize
from harness.cells import Job, Ordered, answer
from harness.fitting import fit_and_save, read_facts
from harness.integrity import NetworkState, check_untouched
from harness.progress import Display
from harness.run_folder import RunFolder
from harness.serving import learner, preferred_batch, serving
from harness.storage import StorageError, write_whole, writing
from harness.tuning.dev_prompts import Exchanges, estimates, judged
from harness.tuning.plan import StudyPlan
from harness.tuning.trial import Trial, trial_folder, write_trial
from harness.useful_replies import Place, completed
from harness.working import FIT_ADVICE, working
from methods.base import ChatModel, Method
from metrics.base import Estimate


@dataclass(slots=True)
class Evaluation:
    """What all trials of a study share. The model is loaded anew if a failed trial does not leave it as it was."""

    plan: StudyPlan
    engine: Engine
    display: Display
    model: ChatModel = field(init=False)
    clean: NetworkState = field(init=False)
    """Of the model as it was loaded."""

    def __post_init__(self) -> None:
        self._load()
        place = Place(RunFolder(self.plan.root), self._size("the unmodified model"), self.display)
        self.plan = replace(self.plan, data=completed(self.plan.data, learner(self.model), place))
        for note in self.plan.data.notes:
            self.display.note(f"data: {note}.")

    def make(self, number: int, point: Mapping[str, Any]) -> Trial:
        """A whole trial, on disk when this returns; one that fails is a trial too, with its reason."""
        started = time.monotonic()
        folder = trial_folder(self.plan.root, number)
        found: Mapping[str, Estimate] = {}
        reason = ""
        try:
            found = self._estimates(f"trial {number}", self.plan.method(point), folder)
        except StorageError:
            raise
        except Exception as error:  # for the reason that harness/session.py gives: a method may fail in any way
            reason = describe(error)
            with writing(self.plan.root):
                record = f"{reason}\n\n{traceback.format_exc()}"
                write_whole(folder / "failure.txt", record.encode(errors="backslashreplace"))
            self._mend()
        trial = Trial(number, dict(point), self._price(folder), time.monotonic() - started, found, reason)
        with writing(self.plan.root):
            write_trial(self.plan.root, trial)
        shutil.rmtree(_artefact(folder), ignore_errors=True)  # large, and `run` fits again with every seed
        return trial

    def _estimates(self, title: str, method: Method, folder: Path) -> Mapping[str, Estimate]:
        with withheld(f"'{method.name}'", "checked"):
            method.check(self.model, self.plan.data)
        artefact = _artefact(folder)
        if read_facts(artefact) is None:
            doing = working(self.plan.root, f"fitting '{method.name}' ({title})", FIT_ADVICE)
            with doing, self.display.fitting(title) as progress:
                fit_and_save(method, learner(self.model), self.plan.data, self.plan.config.seed, artefact, progress)
        size = self._size(title)
        with serving(method.load(artefact), self.model) as protected:
            for side in self.plan.questions:
                path, name = folder / f"{side.name}.jsonl", f"{title}, {side.name}"
                job = Job(Ordered.of(side, self.model), path, size, self.display, name)
                answer(protected, job, self.plan.config.run.generation)
        check_untouched(self.clean, self.model, method.name)
        return self._scored(folder)

    def _scored(self, folder: Path) -> Mapping[str, Estimate]:
        sides = Exchanges(
            *(judged(side, folder / f"{side.name}.jsonl", self.plan.judge) for side in self.plan.questions)
        )
        found = estimates(sides, self.plan.config.run.bounds)
        if found["su_f1"].value is None:
            raise ValueError("the judge was unsure of every reply to prompts of one intent")
        return found

    def _price(self, folder: Path) -> float:
        """Forward equivalents of the fit, 0 where it failed, and of all dev prompts, whether answered or not."""
        facts = read_facts(_artefact(folder))
        cost = facts["cost"] if facts else {"forward_equivalents": 0.0, "extra_passes_per_reply": 0.0}
        return float(cost["forward_equivalents"] + self.plan.dev_prompts * (1 + cost["extra_passes_per_reply"]))

    def _load(self) -> None:
        self.model = self.engine.load(self.plan.config.run.model)
        self.clean = NetworkState.of(self.model)

    def _mend(self) -> None:
        left = self.clean.left_by(NetworkState.of(self.model))
        if left:
            self.display.note(f"warning: '{self.plan.kind.name}' {left}; the model is loaded again.")
            del self.model  # memory may not hold it twice
            gc.collect()
            self._load()

    def _size(self, title: str) -> BatchSize:
        first = self.plan.config.run.batch_size or preferred_batch(self.model)
        return BatchSize(first, lambda size: self._tell(title, size))

    def _tell(self, title: str, size: int) -> None:
        self.display.note(f"warning: out of memory; {title} goes on with batches of {size}.")


def _artefact(folder: Path) -> Path:
    return folder / "artefact"
