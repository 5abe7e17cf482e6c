"""Who does what next: fits first, then the cells that wait for them; what a lost worker held is given out again."""

from dataclasses import dataclass, field

from harness.cluster.base import Task
from harness.plan import Plan
from harness.session import Failure

MOST_LOSSES = 3
"""Workers that one task may cost before its arm counts as broken: by then it is the task that kills them."""


@dataclass(slots=True)
class Schedule:
    """The tasks of a run. An arm that breaks loses what it has not begun; the others go on."""

    plan: Plan
    waiting: list[Task] = field(init=False)
    running: set[Task] = field(default_factory=set)
    hashes: dict[Task, str] = field(default_factory=dict)
    """Of the artefact of every finished fit."""
    failures: dict[Task, Failure] = field(default_factory=dict)
    losses: dict[Task, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = [Task(arm.label, seed) for arm in self.plan.arms for seed in arm.seeds]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return not self.waiting and not self.running

    def is_over_for(self, arm: str) -> bool:
        """Whether nothing is left to do of one arm."""
        return not any(task.arm == arm for task in (*self.waiting, *self.running))

    @property
    def broken(self) -> tuple[str, ...]:
        """Labels of the arms that failed, in the order of the plan."""
        failed = {task.arm for task in self.failures}
        return tuple(arm.label for arm in self.plan.arms if arm.label in failed)

    def take(self) -> Task | None:
        """A task for an idle worker; None if all that is left waits for a fit."""
        if not self.waiting:
            return None
        # Fits before cells: a cell waits for one, and an arm that cannot be fitted shows at once.
        task = min(self.waiting, key=lambda waiting: waiting.benchmark is not None)
        self.waiting.remove(task)
        self.running.add(task)
        return task

    def fitted(self, task: Task, content_hash: str) -> None:
        """A fit is on disk, so its cells can be worked on."""
        self.running.remove(task)
        self.hashes[task] = content_hash
        if task.arm not in self.broken:
            self.waiting += [task._replace(benchmark=benchmark.name) for benchmark in self.plan.benchmarks]

    def answered(self, task: Task) -> None:
        """A cell is on disk."""
        self.running.remove(task)

    def failed(self, task: Task, failure: Failure) -> None:
        """The arm broke: what it has not begun is dropped."""
        self.running.remove(task)
        self.failures[task] = failure
        self.waiting = [waiting for waiting in self.waiting if waiting.arm != task.arm]

    def lost(self, task: Task) -> bool:
        """The worker is gone. Whether the task is given out again; if not, the arm broke."""
        self.losses[task] = self.losses.get(task, 0) + 1
        if self.losses[task] == MOST_LOSSES or task.arm in self.broken:
            reason = f"WorkerLost: {MOST_LOSSES} workers were lost over '{task}', for want of memory perhaps."
            self.failed(task, Failure(reason, reason, is_spoiling=False))
            return False
        self.running.remove(task)
        self.waiting.insert(0, task)
        return True

    def failures_of(self, arm: str) -> list[tuple[Task, Failure]]:
        """Of a broken arm that no worker is busy with any more, in the order of the plan; else nothing."""
        if any(task.arm == arm for task in self.running):
            return []
        seeds = next(planned.seeds for planned in self.plan.arms if planned.label == arm)
        benchmarks = [None, *(benchmark.name for benchmark in self.plan.benchmarks)]
        tasks = [Task(arm, seed, benchmark) for seed in seeds for benchmark in benchmarks]
        return [(task, self.failures[task]) for task in tasks if task in self.failures]
