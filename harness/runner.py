"""The run: every arm fitted, every benchmark answered, everything on disk as it comes."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.base import Kind
from harness import registry
from harness.batching import AUTOMATIC, BatchSize
from harness.cells import Job, Ordered, answer, score
from harness.config import RunConfig
from harness.fitting import fit_and_save, read_facts
from harness.plan import Cell, Plan, PlannedArm, check_requirements
from harness.progress import Display
from harness.protocol import make_protocol
from harness.provenance import command_line, provenance
from harness.run_folder import RunFolder
from harness.storage import StorageError, write_whole, writing
from methods.base import ChatModel, Fitted


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
    folder = RunFolder(config.output)
    with folder.locked():
        model = engine.load(config.model)
        check_requirements(plan.arms, config.engine, model.offers)
        for arm in plan.arms:
            arm.method.check(model, plan.data)
        facts = provenance(command_line(), str(model.device))
        folder.begin(make_protocol(config, plan, model), _described(plan.arms), plan.benchmarks, facts)
        questions = tuple(Ordered.of(benchmark, model) for benchmark in plan.benchmarks)
        session = Session(config, plan, folder, model, questions, display)
        return tuple(arm.label for arm in plan.arms if not session.survives(arm))


@dataclass(frozen=True, slots=True)
class Session:
    """One run under way: what all its arms share."""

    config: RunConfig
    plan: Plan
    folder: RunFolder
    model: ChatModel
    questions: tuple[Ordered, ...]
    display: Display

    def survives(self, arm: PlannedArm) -> bool:
        """Run one arm with all its seeds; a failure is written down, and the other arms go on."""
        failure = self.folder.failure(arm.label)
        try:
            with writing(self.folder.root):
                failure.unlink(missing_ok=True)
            size = self._batch_size(arm.label)
            for seed in arm.seeds:
                self._run_seed(arm, seed, size)
        except StorageError:
            raise
        # The one broad except of the project: a method is other people's code and may fail in any way, and that must
        # not cost the arms that work. The traceback is kept, the exit code tells, and an interrupt passes through.
        except Exception as error:
            with writing(self.folder.root):
                record = f"{describe(error)}\n\n{traceback.format_exc()}"
                write_whole(failure, record.encode(errors="backslashreplace"))
            self.display.note(f"error: {arm.label} failed: {describe(error)}. The traceback is in {failure}.")
            return False
        return True

    def _run_seed(self, arm: PlannedArm, seed: int, size: BatchSize) -> None:
        fitted = self._fitted(arm, seed)
        cells = [(questions, Cell(arm.label, seed, questions.benchmark.name)) for questions in self.questions]
        with fitted.applied(self.model) as protected:
            for questions, cell in cells:
                job = Job(questions, self.folder.replies(cell), size, self.display, _title(cell))
                answer(protected, job, self.config.generation)
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

    def _batch_size(self, owner: str) -> BatchSize:
        """Every arm starts anew: one that needs much memory must not slow down the others."""

        def tell(size: int) -> None:
            self.display.note(f"warning: out of memory; {owner} goes on with batches of {size}.")

        return BatchSize(self.config.batch_size or AUTOMATIC, tell)


def describe(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


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
        }
        for arm in arms
    ]
