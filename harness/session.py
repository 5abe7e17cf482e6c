"""What all arms of a run share, in this process or in a worker's: one model, and what may be done with it."""

import gc
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from benchmarks.base import Kind
from benchmarks.errors import describe
from harness.base import Engine
from harness.batching import BatchSize
from harness.cells import Job, Ordered, answer, score
from harness.config import RunConfig
from harness.fitting import fit_and_save, read_facts
from harness.forecast import Kind as WorkKind
from harness.forecast import Work
from harness.integrity import IntegrityError, NetworkState, check_untouched, unchanged
from harness.parity import Answered, measure
from harness.plan import Cell, Plan, PlannedArm, check_arm, check_model
from harness.progress import Display
from harness.run_folder import RunFolder
from harness.serving import learner, preferred_batch, serving
from harness.storage import StorageError, write_whole, writing
from harness.useful_replies import Place, completed
from harness.working import FIT_ADVICE, working
from methods.base import ChatModel
from methods.cards import card
from methods.per_instance import learns_from_prompts
from reports.cautions import warnings_of_fit


class Failure(NamedTuple):
    """What stopped an arm."""

    reason: str
    """One line."""
    record: str
    """The same with its traceback."""
    is_spoiling: bool
    """Whether what the arm made with this seed is worth nothing."""

    def write(self, folder: RunFolder, arm: str, display: Display) -> None:
        """Keep the traceback, and tell."""
        path = folder.failure(arm)
        with writing(folder.root):
            write_whole(path, self.record.encode(errors="backslashreplace"))
        display.note(f"error: {arm} failed: {self.reason.rstrip('.')}. The traceback is in {path}.")


@dataclass(slots=True)
class Session:
    """One run under way: what all its arms share. The model is loaded anew if an arm does not leave it as it was."""

    config: RunConfig
    plan: Plan
    folder: RunFolder
    display: Display
    engine: Engine
    questions: tuple[Ordered, ...] = ()
    model: ChatModel = field(init=False)
    clean: NetworkState = field(init=False)
    """Of the model as it was loaded."""

    def __post_init__(self) -> None:
        self.model = self.engine.load(self.config.model)
        self.clean = NetworkState.of(self.model)

    def prepare(self) -> tuple[PlannedArm, ...]:
        """Complete the data, put the questions in order, and give the arms: a stand-in for one whose own check breaks.

        Raises:
            UserError: If a method refuses this model or this data.
        """
        check_model(self.plan.arms, self.model)
        place = Place(self.folder, self.batch_size("the unmodified model"), self.display)
        self.plan = replace(self.plan, data=completed(self.plan.data, learner(self.model), place))
        for note in self.plan.data.notes:
            self.display.note(f"data: {note}.")
        arms = tuple(check_arm(arm, self.model, self.plan.data) for arm in self.plan.arms)
        self._mend("the check of a method")
        self.questions = tuple(Ordered.of(benchmark, self.model) for benchmark in self.plan.benchmarks)
        return arms

    def survives(self, arm: PlannedArm) -> bool:
        """Run one arm with all its seeds; a failure is written down, and the other arms go on."""
        with writing(self.folder.root):
            self.folder.failure(arm.label).unlink(missing_ok=True)
        size = self.batch_size(arm.label)
        self.display.begun(arm.label)
        is_sound = all(self._survives(arm, seed, size) for seed in arm.seeds)
        self.display.ended(arm.label, is_failed=not is_sound)
        return is_sound

    def _survives(self, arm: PlannedArm, seed: int, size: BatchSize) -> bool:
        def work() -> None:
            self.fit(arm, seed)
            self.answer(arm, seed, self.questions, size)

        failure = self.attempt(arm, work)
        if failure:
            failure.write(self.folder, arm.label, self.display)
            if failure.is_spoiling:
                self.folder.discard(arm.label, seed)
        return failure is None

    def attempt(self, arm: PlannedArm, work: Callable[[], None]) -> Failure | None:
        """Do some work of an arm; if it breaks, leave the model as it was loaded and say what happened.

        Raises:
            StorageError: If the disk refuses, which ends all arms.
        """
        try:
            work()
        except StorageError:
            raise
        # As broad as can be: a method is other people's code, may fail in any way or end the process, and that must not
        # cost the arms that work. The traceback is kept, the exit code tells, and an interrupt passes through.
        except (Exception, SystemExit) as error:
            reason, is_worthless = describe(error), isinstance(error, IntegrityError)
            record = f"{reason}\n\n{traceback.format_exc()}"
        else:
            return None
        return Failure(reason, record, self._mend(f"'{arm.method.name}'") or is_worthless)

    def answer(self, arm: PlannedArm, seed: int, questions: Sequence[Ordered], size: BatchSize) -> None:
        """Let a fitted arm answer, and the model as it was loaded score what was said."""
        # A fresh fit is read back too, so that a resumed run goes on with the very same numbers.
        fitted = arm.method.load(self.folder.artefact(arm.label, seed))
        scratch = self.folder.scratch(arm.label, seed, questions[0].benchmark.name)
        cells = [(one, Cell(arm.label, seed, one.benchmark.name)) for one in questions]
        with unchanged(fitted, scratch, arm.method.name):
            with serving(fitted, self.model) as protected:
                for one, cell in cells:
                    job = Job(one, self.folder.replies(cell), size, self.display, _title(cell), cell)
                    with self._working(f"answering '{cell.benchmark}' as '{cell.arm}', seed {seed}", size):
                        answer(protected, job, self.config.generation)
            measure(fitted, self.model, [Answered(*pair) for pair in cells], self.folder, self.config.generation)
            check_untouched(self.clean, self.model, arm.method.name)
        scoring_size = self.batch_size(f"scoring {arm.label}")
        for one, cell in cells:
            if one.benchmark.kind is Kind.GENERATION:
                title = f"{_title(cell)}, scoring"
                job = Job(one, self.folder.scores(cell), scoring_size, self.display, title, cell)
                with self._working(f"scoring '{cell.arm}' on '{cell.benchmark}', seed {seed}", scoring_size):
                    score(self.model, job, self.folder.replies(cell))

    def fit(self, arm: PlannedArm, seed: int) -> None:
        """Make the artefact of an arm, unless it is there and whole."""
        artefact = self.folder.artefact(arm.label, seed)
        if read_facts(artefact) is None:
            if artefact.exists():
                self.display.note(f"warning: {artefact} is incomplete or was edited; it is fitted again.")
            work = Work(WorkKind.FIT, arm.label, seed)
            doing = working(self.folder.root, f"fitting '{arm.label}', seed {seed}", FIT_ADVICE)
            with doing, self.display.fitting(f"{arm.label}, seed {seed}", work) as progress:
                fit_and_save(arm.method, learner(self.model), self.plan.data, seed, artefact, progress)
            for line in warnings_of_fit((read_facts(artefact) or {}).get("diagnostics", {})):
                self.display.note(f"warning: {arm.label}, seed {seed}: {line}")

    def _working(self, doing: str, size: BatchSize) -> AbstractContextManager[None]:
        return working(self.folder.root, doing, f"Give a --batch-size below {size.value}.")

    def _mend(self, who: str) -> bool:
        """Load the model again if it is not what it was, and say who left it so."""
        left = self.clean.left_by(NetworkState.of(self.model))
        if left:
            self.display.note(f"warning: {who} {left}; the model is loaded again.")
            del self.model  # memory may not hold it twice
            gc.collect()
            self.model = self.engine.load(self.config.model)
            self.clean = NetworkState.of(self.model)
        return bool(left)

    def batch_size(self, owner: str) -> BatchSize:
        """Every arm starts anew: one that needs much memory must not slow down the others."""

        def tell(size: int) -> None:
            self.display.note(f"warning: out of memory; {owner} goes on with batches of {size}.")

        return BatchSize(self.config.batch_size or preferred_batch(self.model), tell)


def _title(cell: Cell) -> str:
    return f"{cell.arm}, seed {cell.seed}, {cell.benchmark}"


def described(arms: Sequence[PlannedArm]) -> list[Mapping[str, Any]]:
    """What a report says of each arm, kept so that it needs no method to be installed."""
    return [
        {
            "name": arm.label,
            "method": arm.method.name,
            "paper": arm.method.paper,
            "fidelity": arm.method.fidelity,
            "deviations": arm.method.deviations,
            "settings": arm.settings,
            "seeds": arm.seeds,
            "card": card(type(arm.method)),
            "tuning": arm.tuning,
            **({"learns_from_prompts": True} if learns_from_prompts(arm.method) else {}),
        }
        for arm in arms
    ]
