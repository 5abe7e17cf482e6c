"""One worker: the model loaded once, then one task after another. It knows nothing of what started it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.base import Json
from benchmarks.errors import UserError
from harness import registry
from harness.cluster.base import Task
from harness.config import RunConfig
from harness.fitting import read_facts
from harness.plan import Cell, PlannedArm, make_plan
from harness.progress import Display
from harness.protocol import make_protocol
from harness.provenance import hardware
from harness.remote.opened import opened_to_help
from harness.run_folder import RunFolder
from harness.session import Failure, Session

_USEFUL_REPLIES = ("useful_replies/",)
"""How the names of files begin that the first worker makes and the others take over."""


class Started(NamedTuple):
    """What a worker found when it was ready."""

    protocol: dict[str, Any]
    """By its own model and data: all workers must agree."""
    hardware: dict[str, Json]
    notes: Sequence[str]


class Outcome(NamedTuple):
    """What came of a task."""

    failure: Failure | None
    content_hash: str
    """Of the artefact."""
    notes: Sequence[str]


@dataclass(slots=True)
class Notebook(Display):
    """Keeps what is told, for the process that shows it."""

    is_interactive: bool = False
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Kept until `emptied`."""
        self.notes.append(text)

    def emptied(self) -> list[str]:
        """What was told since the last time."""
        told = list(self.notes)
        self.notes.clear()
        return told


class Worker:
    """Fits and answers for one run. The run folder is locked by whoever started the worker."""

    def __init__(self, config: RunConfig, here: str) -> None:
        self.config = config
        self.here = here
        self.notebook = Notebook()
        self.open = ExitStack()

    def start(self) -> Started:
        """Load data and model, and look at every method.

        Raises:
            UserError: As a run in one process would, or if this machine does not see the folder of the command.
        """
        try:
            os.chdir(self.here)  # paths of plugins, data and the run folder may be relative
        except OSError as error:
            if self.config.url is None:
                raise UserError(
                    f"A worker does not see '{self.here}', where the command was given. Run from a folder that all "
                    "machines of the cluster share, or give a URL as --output."
                ) from error
        plan = make_plan(self.config)
        url = self.config.url
        self.mirror = self.open.enter_context(opened_to_help(url)) if url else None
        self.folder = self.mirror.folder if self.mirror else RunFolder(self.config.output)
        engine = registry.engine(self.config.engine)
        self.session = Session(self.config, plan, self.folder, self.notebook, engine)
        with self._shared(_USEFUL_REPLIES):
            self.arms = {arm.label: arm for arm in self.session.prepare()}
        model = self.session.model
        return Started(
            make_protocol(self.config, self.session.plan, model), hardware(str(model.device)), self.notebook.emptied()
        )

    def work(self, task: Task, content_hash: str) -> Outcome:
        """Fit an arm, or fill a cell from the artefact of that hash.

        Raises:
            StorageError: If the disk refuses, or the run's URL cannot be reached.
        """
        arm = self.arms[task.arm]
        with self._shared(self._files(task)):
            failure = self.session.attempt(arm, self._of(task, arm, content_hash))
        return Outcome(failure, self._hash(task) or "", self.notebook.emptied())

    @contextmanager
    def _shared(self, files: Sequence[str]) -> Iterator[None]:
        """Have what other workers made of such files inside the block, and let them have what is made in it."""
        if self.mirror is None:
            yield
            return
        self.mirror.pull(files)
        with self.mirror.pushed_along(self.notebook.note):
            yield

    def _files(self, task: Task) -> list[str]:
        """How the names of a task's files begin."""
        names = [f"{self.folder.artefact(task.arm, task.seed).relative_to(self.folder.root).as_posix()}/"]
        if task.benchmark:
            cell = Cell(task.arm, task.seed, task.benchmark)
            files = (self.folder.replies(cell), self.folder.scores(cell), self.folder.parity(cell))
            names += [path.relative_to(self.folder.root).as_posix() for path in files]
        return names

    def _of(self, task: Task, arm: PlannedArm, content_hash: str) -> Callable[[], None]:
        def fit() -> None:
            self.session.fit(arm, task.seed)

        def answer() -> None:
            if self._hash(task) != content_hash:
                raise UserError(f"The artefact of '{arm.label}' is not the one that was fitted for this run.")
            asked = [one for one in self.session.questions if one.benchmark.name == task.benchmark]
            self.session.answer(arm, task.seed, asked, self.session.batch_size(arm.label))

        return fit if task.benchmark is None else answer

    def _hash(self, task: Task) -> str | None:
        facts = read_facts(self.folder.artefact(task.arm, task.seed))
        return str(facts["hash"]) if facts else None
