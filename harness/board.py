"""Where a run stands: a row for each arm, the numbers so far, and what is left to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from benchmarks import base
from benchmarks.base import Benchmark, Reply
from harness.fitting import FACTS
from harness.forecast import Forecast, Kind, Left, Work
from harness.plan import Cell, Plan
from harness.run_folder import RunFolder
from harness.tally import Rate, Tally
from metrics.base import Direction


class State(StrEnum):
    """Of an arm."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Row(NamedTuple):
    """An arm."""

    label: str
    state: State
    done: int
    """Replies."""
    total: int


@dataclass(slots=True)
class Board:
    """What is known of a run under way. It is told; it looks at nothing itself once it is made."""

    arms: tuple[str, ...]
    benchmarks: tuple[Benchmark, ...]
    totals: dict[str, int]
    """Replies by arm."""
    forecast: Forecast
    tally: Tally
    workers: int = 1
    running: list[str] = field(default_factory=list)
    """Labels; one as often as workers are busy with it."""
    failed: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, plan: Plan, folder: RunFolder, judge: str) -> "Board":
        """What is there of a run is taken from the number of lines in its files; the replies are read later."""
        sizes = {one.name: len(one.prompts) for one in plan.benchmarks}
        spoken = {one.name for one in plan.benchmarks if one.kind is base.Kind.GENERATION}
        left: dict[Work, int] = {}
        for arm in plan.arms:
            for seed in arm.seeds:
                left[Work(Kind.FIT, arm.label, seed)] = int(not (folder.artefact(arm.label, seed) / FACTS).exists())
        for cell in plan.cells:
            left[Work(Kind.ANSWER, *cell)] = max(0, sizes[cell.benchmark] - _lines(folder.replies(cell)))
            if cell.benchmark in spoken:
                left[Work(Kind.SCORE, *cell)] = max(0, sizes[cell.benchmark] - _lines(folder.scores(cell)))
        totals = {arm.label: len(arm.seeds) * sum(sizes.values()) for arm in plan.arms}
        return cls(tuple(totals), plan.benchmarks, totals, Forecast(left), Tally.of(plan.benchmarks, judge))

    def begun(self, arm: str) -> None:
        """Somebody is at work on an arm."""
        self.running.append(arm)

    def paused(self, arm: str) -> None:
        """And is no more."""
        self.running.remove(arm)

    def heard(self, cell: Cell, replies: Sequence[Reply]) -> None:
        """Replies, new ones or those of an earlier process; each only once."""
        self.tally.hear(cell.arm, cell.benchmark, replies)

    def finished(self, arm: str, seed: int, benchmark: str, seconds: float) -> None:
        """A fit or, with a benchmark, a whole cell took somebody else so long; answers and scores share it."""
        kinds = (Kind.ANSWER, Kind.SCORE) if benchmark else (Kind.FIT,)
        works = [work for kind in kinds if (work := Work(kind, arm, seed, benchmark)) in self.forecast.left]
        for work in works:
            self.forecast.spend(work, self.forecast.left[work], seconds / len(works))

    def rows(self) -> list[Row]:
        """In the order of the leaderboard."""
        unanswered = dict.fromkeys(self.arms, 0)
        unfinished = dict.fromkeys(self.arms, 0)
        for work, units in list(self.forecast.left.items()):
            unfinished[work.arm] += units
            unanswered[work.arm] += units if work.kind is Kind.ANSWER else 0
        return [
            Row(arm, self._state(arm, unfinished[arm]), self.totals[arm] - unanswered[arm], self.totals[arm])
            for arm in self.arms
        ]

    def expected(self) -> Left:
        """Seconds until the run is over, with as many workers as there are."""
        left = self.forecast.expected(self.failed)
        return left._replace(seconds=left.seconds / max(1, self.workers))

    def rate(self, arm: str, benchmark: str) -> Rate | None:
        """None where nothing was counted."""
        found = self.tally.rates.get((arm, benchmark))
        return found if found and found.n else None

    def counted(self, benchmark: Benchmark) -> str:
        """`refused ↑`, `right ↑`, or empty where nothing is counted of a benchmark."""
        metric = self.tally.metric(benchmark.name)
        if metric is None:
            return ""
        arrow = "↑" if metric.direction(benchmark.intent) is Direction.HIGHER else "↓"
        return f"{'refused' if benchmark.kind is base.Kind.GENERATION else 'right'} {arrow}"

    def told(self, arm: str) -> str:
        """The numbers so far of an arm in one line; empty where there are none."""
        found = [(one, rate) for one in self.benchmarks if (rate := self.rate(arm, one.name))]
        texts = [f"{one.name} {rate.percent:.1f} % {self.counted(one)[:-2]} (n {rate.n})" for one, rate in found]
        return f"{arm} so far: {', '.join(texts)}" if texts else ""

    def _state(self, arm: str, unfinished: int) -> State:
        if arm in self.failed:
            return State.FAILED
        if arm in self.running:
            return State.RUNNING
        return State.WAITING if unfinished else State.DONE


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
