"""From a run folder to exchanges: every reply beside its prompt, judged. No model is loaded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.base import Benchmark, Kind, Prompt, Reply
from benchmarks.plugins import check_sound, outside
from harness import ledger
from harness.plan import Cell
from harness.records import reply_from_json
from harness.run_folder import RunFolder
from metrics.base import Exchange, Judge, Judgement

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """All finished cells of a run. The prompts of a cell are in the order of its benchmark."""

    benchmarks: tuple[Benchmark, ...]
    cells: Mapping[Cell, tuple[Exchange, ...]]

    def seeds(self, arm: str, *benchmarks: str) -> tuple[int, ...]:
        """Seeds for which this arm has finished all of these benchmarks."""
        tried = sorted({cell.seed for cell in self.cells if cell.arm == arm})
        return tuple(seed for seed in tried if all(Cell(arm, seed, name) in self.cells for name in benchmarks))


def read_answers(folder: RunFolder, header: Mapping[str, Any], judge: Judge, note: Note) -> Answers:
    """Every finished cell, judged.

    One that lacks replies is left out: the longest prompts come first, so what is there would speak for them alone.

    Raises:
        UserError: If a file of prompts was changed.
    """
    protocol = header["protocol"]
    benchmarks = tuple(folder.benchmark(name, facts["hash"]) for name, facts in protocol["benchmarks"].items())
    cells: dict[Cell, tuple[Exchange, ...]] = {}
    for arm in header["arms"]:
        for seed in arm["seeds"]:
            for benchmark in benchmarks:
                cell = Cell(arm["name"], seed, benchmark.name)
                replies = _replies(folder, cell, benchmark, note)
                if replies is not None:
                    surprises = ledger.read(folder.scores(cell)).records
                    cells[cell] = _exchanges(benchmark, replies, surprises, judge)
    return Answers(benchmarks, cells)


def _replies(folder: RunFolder, cell: Cell, benchmark: Benchmark, note: Note) -> Sequence[Reply] | None:
    contents = ledger.read(folder.replies(cell))
    for damage in contents.damages:
        note(f"warning: {damage}")
    there = [prompt.id for prompt in benchmark.prompts if prompt.id in contents.records]
    if len(there) < len(benchmark.prompts):
        note(
            f"warning: {cell.arm}, seed {cell.seed} has {len(there)} of {len(benchmark.prompts)} replies to "
            f"'{cell.benchmark}': left out until the run is finished."
        )
        return None
    replies = [reply_from_json(contents.records[key]) for key in there]
    cut = sum(reply.is_cut_thought for reply in replies)
    if cut:
        note(
            f"warning: {cell.arm}, seed {cell.seed} was still thinking at the limit in {cut} of {len(replies)} replies "
            f"to '{cell.benchmark}', which count as empty. Give a larger --max-new-tokens."
        )
    return replies


def _exchanges(
    benchmark: Benchmark, replies: Sequence[Reply], surprises: Mapping[str, ledger.Record], judge: Judge
) -> tuple[Exchange, ...]:
    pairs = list(zip(benchmark.prompts, replies, strict=True))
    judgements = _judgements(benchmark, pairs, judge)
    return tuple(
        Exchange(prompt, reply, judgement, surprises.get(prompt.id, {}).get("surprise"))
        for (prompt, reply), judgement in zip(pairs, judgements, strict=True)
    )


def _judgements(
    benchmark: Benchmark, pairs: list[tuple[Prompt, Reply]], judge: Judge
) -> Sequence[Judgement] | list[None]:
    if benchmark.kind is not Kind.GENERATION:
        return [None] * len(pairs)
    origin = f"Judge '{judge.name}'"
    with outside(origin, "reading replies"):
        found = judge.judge(pairs)
        is_whole = len(found) == len(pairs) and all(isinstance(one, Judgement) for one in found)
    check_sound(origin, [] if is_whole else ["it does not give one Judgement a reply"])
    return found
