"""The run: every arm fitted, every benchmark answered, everything on disk as it comes."""

import gc
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.base import Kind
from benchmarks.errors import describe
from benchmarks.plugins import PluginError, outside
from benchmarks.withholding import withheld
from harness import registry
from harness.base import Engine
from harness.batching import AUTOMATIC, BatchSize
from harness.cells import Job, Ordered, answer, score
from harness.config import RunConfig
from harness.fitting import fit_and_save, read_facts
from harness.integrity import IntegrityError, NetworkState, check_untouched, unchanged
from harness.plan import Cell, Plan, PlannedArm, check_model, check_requirements
from harness.progress import Display
from harness.protocol import make_protocol
from harness.provenance import command_line, provenance
from harness.run_folder import RunFolder
from harness.storage import StorageError, write_whole, writing
from methods import registry as methods
from methods.base import ChatModel, Fitted
from methods.cards import card
from methods.unusable import unusable


def run(config: RunConfig, plan: Plan, display: Display) -> tuple[str, ...]:
    """Do what is left to do of a comparison.

    Returns:
        Labels of the arms that failed; their tracebacks are in the run folder.

    Raises:
        UserError: If an arm needs what the engine, the model or the data lacks, the model cannot be loaded, another
            process has the run folder, the folder cannot be written to, or the protocol changed.
    """
    engine = registry.engine(config.engine)
    check_requirements(plan.arms, config.engine, engine.offers)
    for line in methods.CATALOGUE.hidden({name for arm in config.arms for name in arm.method.split("+")}):
        display.note(f"warning: {line}")
    folder = RunFolder(config.output)
    with folder.locked():
        session = Session(config, plan, folder, display, engine)
        check_model(plan.arms, session.model)
        arms = session.checked()
        facts = provenance(command_line(), str(session.model.device))
        protocol = make_protocol(config, plan, session.model)
        folder.begin(protocol, _described(plan.arms), plan.benchmarks, facts)
        session.questions = tuple(Ordered.of(benchmark, session.model) for benchmark in plan.benchmarks)
        return tuple(arm.label for arm in arms if not session.survives(arm))


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

    def checked(self) -> tuple[PlannedArm, ...]:
        """The arms, with a stand-in for each method whose own check breaks.

        Raises:
            UserError: If a method refuses this model or this data.
        """
        arms = tuple(self._checked(arm) for arm in self.plan.arms)
        self._mend("the check of a method")
        return arms

    def survives(self, arm: PlannedArm) -> bool:
        """Run one arm with all its seeds; a failure is written down, and the other arms go on."""
        failure = self.folder.failure(arm.label)
        with writing(self.folder.root):
            failure.unlink(missing_ok=True)
        size = self._batch_size(arm.label)
        return all(self._survives(arm, seed, size) for seed in arm.seeds)

    def _survives(self, arm: PlannedArm, seed: int, size: BatchSize) -> bool:
        try:
            self._run_seed(arm, seed, size)
        except StorageError:
            raise
        # As broad as can be: a method is other people's code, may fail in any way or end the process, and that must not
        # cost the arms that work. The traceback is kept, the exit code tells, and an interrupt passes through.
        except (Exception, SystemExit) as error:
            self._record(arm, error)
            is_worthless = isinstance(error, IntegrityError)
        else:
            return True
        if self._mend(f"'{arm.method.name}'") or is_worthless:
            self.folder.discard(arm.label, seed)
        return False

    def _run_seed(self, arm: PlannedArm, seed: int, size: BatchSize) -> None:
        fitted = self._fitted(arm, seed)
        scratch = self.folder.artefact(arm.label, seed).with_suffix(".again")
        cells = [(questions, Cell(arm.label, seed, questions.benchmark.name)) for questions in self.questions]
        with unchanged(fitted, scratch, arm.method.name):
            with fitted.applied(self.model) as protected:
                for questions, cell in cells:
                    job = Job(questions, self.folder.replies(cell), size, self.display, _title(cell))
                    answer(protected, job, self.config.generation)
            check_untouched(self.clean, self.model, arm.method.name)
        scoring_size = self._batch_size(f"scoring {arm.label}")
        for questions, cell in cells:
            if questions.benchmark.kind is Kind.GENERATION:
                title = f"{_title(cell)}, scoring"
                job = Job(questions, self.folder.scores(cell), scoring_size, self.display, title)
                score(self.model, job, self.folder.replies(cell))

    def _fitted(self, arm: PlannedArm, seed: int) -> Fitted:
        artefact = self.folder.artefact(arm.label, seed)
        if read_facts(artefact) is None:
            if artefact.exists():
                self.display.note(f"warning: {artefact} is incomplete or was edited; it is fitted again.")
            with self.display.fitting(f"{arm.label}, seed {seed}") as progress:
                fit_and_save(arm.method, self.model, self.plan.data, seed, artefact, progress)
        # A fresh fit is read back too, so that a resumed run goes on with the very same numbers.
        return arm.method.load(artefact)

    def _checked(self, arm: PlannedArm) -> PlannedArm:
        origin = f"Method '{arm.method.name}'"
        try:
            with outside(origin, "checked"), withheld(origin, "checked"):
                arm.method.check(self.model, self.plan.data)
        except PluginError as error:
            return replace(arm, method=unusable(arm.method.name, error))
        return arm

    def _record(self, arm: PlannedArm, error: BaseException) -> None:
        """Keep the traceback of what stopped an arm."""
        failure = self.folder.failure(arm.label)
        with writing(self.folder.root):
            record = f"{describe(error)}\n\n{traceback.format_exc()}"
            write_whole(failure, record.encode(errors="backslashreplace"))
        reason = describe(error).rstrip(".")
        self.display.note(f"error: {arm.label} failed: {reason}. The traceback is in {failure}.")

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

    def _batch_size(self, owner: str) -> BatchSize:
        """Every arm starts anew: one that needs much memory must not slow down the others."""

        def tell(size: int) -> None:
            self.display.note(f"warning: out of memory; {owner} goes on with batches of {size}.")

        return BatchSize(self.config.batch_size or AUTOMATIC, tell)


def _title(cell: Cell) -> str:
    return f"{cell.arm}, seed {cell.seed}, {cell.benchmark}"


def _described(arms: Sequence[PlannedArm]) -> list[Mapping[str, Any]]:
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
        }
        for arm in arms
    ]
