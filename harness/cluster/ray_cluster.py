"""`--cluster ray`: one actor a worker, watched until all tasks are done. The driver alone holds the run folder's lock.

An actor and no plain task, so that a worker loads its model once and keeps its GPU. Lost ones are replaced here and not
by Ray's own retries, so that it is told, and a task that kills every worker ends as a broken arm.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.errors import UserError
from harness import ledger
from harness.board import Board
from harness.cluster.base import ClusterSpec, Task
from harness.cluster.schedule import MOST_LOSSES, Schedule
from harness.cluster.worker import Outcome, Started, Worker
from harness.config import RunConfig
from harness.plan import Cell, Plan
from harness.progress import Display
from harness.protocol import Protocol, differences
from harness.provenance import command_line, provenance
from harness.records import reply_from_json
from harness.remote.mirror import Mirror
from harness.run_folder import RunFolder
from harness.session import described
from harness.storage import writing

_GPUS, _CORES = "GPU", "CPU"
_PATIENCE = 60.0
"""Seconds without any worker until it is told that the cluster has none free."""


def run_on_ray(
    config: RunConfig, plan: Plan, spec: ClusterSpec, folder: RunFolder, display: Display, mirror: Mirror | None
) -> tuple[str, ...]:
    """As `harness.runner.run`, by workers; the run folder is locked already, and mirrored if it is at a URL.

    Returns:
        Labels of the arms that failed.

    Raises:
        UserError: As a run in one process would, or if there is no Ray, no such cluster, or no room on it.
    """
    with _connected(spec):
        gpus, room = _room(spec, wants_gpu=config.model.device != "cpu")
        crew = Crew(config, plan, folder, display, mirror, gpus, min(room, len(plan.cells)))
        try:
            crew.run()
        finally:
            crew.dismiss()
    if mirror:
        mirror.pull()
    return crew.schedule.broken


class Call(NamedTuple):
    """What a worker is doing."""

    worker: Any
    task: Task | None
    """None: it starts."""
    since: float
    """Seconds of the clock."""


@dataclass(slots=True)
class Crew:
    """The workers of a run, and what each is busy with."""

    config: RunConfig
    plan: Plan
    folder: RunFolder
    display: Display
    mirror: Mirror | None
    """Of the folder, if the run is at a URL: each worker has its own."""
    gpus: float
    """For each worker."""
    size: int
    schedule: Schedule = field(init=False)
    calls: dict[Any, Call] = field(default_factory=dict)
    """By Ray's reference to the answer."""
    idle: list[Any] = field(default_factory=list)
    protocol: Protocol | None = None
    """Of the first worker that started."""
    lost_starts: int = 0
    """In a row."""

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.plan)

    def run(self) -> None:
        """Work until nothing is left to do."""
        # The first alone, so that a hub model is fetched once and a user's mistake is told once.
        self._hire()
        while not self.schedule.is_over:
            call, answer = self._next_answer()
            if answer is None:
                self._replace(call)
            elif isinstance(answer, Started):
                self._welcome(call.worker, answer)
            elif call.task is not None:
                self._take_in(call.task, answer, time.monotonic() - call.since)
                self.idle.append(call.worker)
            self._give_out()

    def dismiss(self) -> None:
        """End every worker, whatever it is doing."""
        import ray

        for worker in [*self.idle, *(call.worker for call in self.calls.values())]:
            ray.kill(worker)

    def _hire(self) -> None:
        import ray

        actor = ray.remote(Worker).options(num_cpus=1, num_gpus=self.gpus, max_restarts=0)
        worker = actor.remote(self.config, os.getcwd())
        self.calls[worker.start.remote()] = Call(worker, None, time.monotonic())

    def _next_answer(self) -> tuple[Call, Started | Outcome | None]:
        """Whoever is ready first; None for a worker that was lost."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        started, ready = time.monotonic(), list[Any]()
        while not ready:
            ready, _ = ray.wait(list(self.calls), num_returns=1, timeout=1.0)
            if self.protocol is None and started and time.monotonic() - started > _PATIENCE:
                self.display.note(
                    f"No worker is ready after {_PATIENCE:.0f} s: the cluster may be busy. Still waiting."
                )
                started = 0.0
        call = self.calls.pop(ready[0])
        try:
            return call, ray.get(ready[0], timeout=_PATIENCE)
        except RayActorError:
            return call, None
        except RayTaskError as error:
            self.idle.append(call.worker)
            raise (error.cause if isinstance(error.cause, UserError) else error) from None

    def _replace(self, call: Call) -> None:
        import ray

        ray.kill(call.worker)  # one that is only out of reach must not go on writing
        if call.task is None:
            self.lost_starts += 1
            if self.lost_starts == MOST_LOSSES:
                raise UserError(
                    f"{MOST_LOSSES} workers in a row were lost while they loaded the model, for want of memory "
                    "perhaps. Give fewer --workers, or more GPUs with --gpus-per-cell."
                )
            self.display.note("warning: a worker was lost while it started; another takes its place.")
        elif self.schedule.lost(call.task):
            self.display.ended(call.task.arm, is_over=False)
            self.display.note(f"warning: a worker was lost over '{call.task}'; another goes on where it stopped.")
        else:
            self.display.ended(call.task.arm, is_failed=True)
            self._settle(call.task.arm)
        self._hire()

    def _welcome(self, worker: Any, found: Started) -> None:  # noqa: ANN401 - Ray's handle
        self.lost_starts = 0
        self.idle.append(worker)
        self._tell(found.notes)
        if self.protocol is None:
            self.protocol = found.protocol
            facts = provenance(command_line(), "cpu") | {"hardware": found.hardware}
            self.folder.begin(found.protocol, described(self.plan.arms), self.plan.benchmarks, facts)
            with writing(self.folder.root):
                for arm in self.plan.arms:
                    self.folder.failure(arm.label).unlink(missing_ok=True)
            self.display.board = Board.of(self.plan, self.folder, self.config.judge)
            self.display.board.workers = self.size
            if self.mirror:
                self.mirror.push()  # before workers fetch what is there
            for _ in range(1, self.size):
                self._hire()
        changes = "; ".join(differences(self.protocol, found.protocol))
        if changes:
            raise UserError(
                f"The workers do not agree on what is run: {changes}. Give them the same files and versions."
            )

    def _take_in(self, task: Task, outcome: Outcome, seconds: float) -> None:
        self._tell(outcome.notes)
        if outcome.failure:
            self.schedule.failed(task, outcome.failure)
        elif task.benchmark is None:
            self.schedule.fitted(task, outcome.content_hash)
        else:
            self.schedule.answered(task)
        if not outcome.failure:
            self._count(task, seconds)
        self.display.ended(task.arm, is_failed=outcome.failure is not None, is_over=self.schedule.is_over_for(task.arm))
        self._settle(task.arm)

    def _count(self, task: Task, seconds: float) -> None:
        """Have the display know what a worker did."""
        if self.display.board is None:
            return
        if task.benchmark and not self.mirror:
            cell = Cell(task.arm, task.seed, task.benchmark)
            records = ledger.read(self.folder.replies(cell)).records
            self.display.heard(cell, [reply_from_json(record) for record in records.values()])
        self.display.board.finished(task.arm, task.seed, task.benchmark or "", seconds)

    def _settle(self, arm: str) -> None:
        """Write down what broke an arm, and throw away what is worth nothing, once nobody works on it."""
        failures = self.schedule.failures_of(arm)
        if self.mirror and any(failure.is_spoiling for _, failure in failures):
            self.mirror.pull()  # only what is known here can be taken away there
        for task, failure in failures:
            if failure.is_spoiling:
                self.folder.discard(arm, task.seed)
        if failures:
            failures[0][1].write(self.folder, arm, self.display)

    def _give_out(self) -> None:
        while self.idle and (task := self.schedule.take()):
            worker = self.idle.pop()
            content_hash = self.schedule.hashes.get(task._replace(benchmark=None), "")
            self.display.begun(task.arm)
            self.calls[worker.work.remote(task, content_hash)] = Call(worker, task, time.monotonic())

    def _tell(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.display.note(note)


@contextmanager
def _connected(spec: ClusterSpec) -> Iterator[None]:
    """Ray inside the block; a cluster that was started for the run ends with it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError as error:
        raise UserError("--cluster ray needs the package ray. Install it: pip install 'equipoise[ray]'.") from error
    own = {}
    if spec.address is None:
        # A cluster of this machine's own stays on 127.0.0.1.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        own["include_dashboard"] = False
    try:
        _knock(spec.address or "local")
        ray.init(address=spec.address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        where = f"at '{spec.address}'" if spec.address else "on this machine"
        raise UserError(f"No Ray cluster {where}: {' '.join(str(error).split())}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Ray itself waits for minutes where nobody answers.

    Raises:
        OSError: If there is nobody.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _room(spec: ClusterSpec, *, wants_gpu: bool) -> tuple[float, int]:
    """GPUs for each worker, and how many workers there is room for."""
    import ray

    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    there = sum(machine.get(_GPUS, 0) for machine in machines)
    gpus = spec.gpus_per_cell if spec.gpus_per_cell is not None else min(1, there if wants_gpu else 0)
    kind, share = (_GPUS, gpus) if gpus else (_CORES, 1)
    # Machine by machine: a worker cannot be spread over two.
    room = sum(min(int(machine.get(kind, 0) / share), int(machine.get(_CORES, 0))) for machine in machines)
    if not room:
        raise UserError(
            f"No machine of the cluster has a core and {gpus:g} GPUs for a worker ({there:g} GPUs in all). "
            "Give fewer --gpus-per-cell."
        )
    return gpus, min(room, spec.workers or room)
