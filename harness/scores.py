"""Scores of the cells as matrices: one row a seed, one column a prompt, NaN where a reply is unscored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.answers import Answers
from harness.breakdowns import label
from harness.columns import Pairing, metric_of
from harness.plan import Cell
from harness.safeedit import Protocol
from metrics import safeedit
from metrics.bootstrap import mean_of_scored
from metrics.paired import Sides
from metrics.registry import all_metrics
from metrics.su_f1 import Scores
from reports.base import Column

if TYPE_CHECKING:
    from jaxtyping import Float


class ScoreTable:
    """All scores of a run, each taken when it is first asked for and kept."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._rows: dict[tuple[Cell, str], Float[np.ndarray, " prompt"]] = {}

    def seeds(self, arm: str, *benchmarks: str) -> tuple[int, ...]:
        """Those with which an arm has finished all of these benchmarks."""
        return self._answers.seeds(arm, *benchmarks)

    def of_benchmark(
        self, arm: str, benchmark: str, metric: str, seeds: Sequence[int] | None = None
    ) -> "Float[np.ndarray, 'seed prompt'] | None":
        """Scores under one metric with some seeds, or with all that are finished; None if there are none."""
        return self._matrix(arm, benchmark, metric, self.seeds(arm, benchmark) if seeds is None else seeds)

    def of_cell(self, cell: Cell, metric: str) -> "Float[np.ndarray, ' prompt']":
        """Scores of one cell that has been finished, in the order of its replies."""
        return self._row(cell, metric)

    def of_column(
        self, arm: str, column: Column, seeds: Sequence[int] | None = None
    ) -> "Float[np.ndarray, 'seed prompt'] | None":
        """Scores that make a column of one benchmark, or of one category of its attacks."""
        metric = metric_of(column)
        if metric is None:
            return None
        scores = self.of_benchmark(arm, column.benchmark, metric.name, seeds)
        if scores is None or not column.category:
            return scores
        benchmark = next(one for one in self._answers.benchmarks if one.name == column.benchmark)
        return scores[:, [label(prompt) == column.category for prompt in benchmark.prompts]]

    def of_protocol(
        self, arm: str, protocol: Protocol, seeds: Sequence[int] | None = None
    ) -> "Float[np.ndarray, 'input seed instance'] | None":
        """SafeEdit's four inputs, by the instances that all have; None if there is no seed that has finished them."""
        seeds = self.seeds(arm, *protocol.inputs) if seeds is None else seeds
        places = [self._instances(name) for name in protocol.inputs]
        shared = [key for key in places[0] if all(key in others for others in places[1:])]
        if not seeds or not shared:
            return None
        name = safeedit.DEFENCE_GENERALISATION.name
        tables = [np.stack([self._row(Cell(arm, seed, one), name) for seed in seeds]) for one in protocol.inputs]
        return np.stack([table[:, [place[key] for key in shared]] for table, place in zip(tables, places, strict=True)])

    def _instances(self, benchmark: str) -> dict[str, int]:
        """Place of every instance in a benchmark; none where it is not in the run."""
        prompts = next((one.prompts for one in self._answers.benchmarks if one.name == benchmark), ())
        return {prompt.instance.id: place for place, prompt in enumerate(prompts) if prompt.instance}

    def of_pairing(self, arm: str, pairing: Pairing, seeds: Sequence[int] | None = None) -> Sides | None:
        """What makes SU-F1, over the seeds that have finished both benchmarks; None if there is no such seed."""
        seeds = self.seeds(arm, *pairing) if seeds is None else seeds
        sides = []
        for benchmark in pairing:
            refusal = self._matrix(arm, benchmark, "refusal_rate", seeds)
            entropy = self._matrix(arm, benchmark, "entropy", seeds)
            if refusal is None or entropy is None:
                return None
            sides.append(Scores(refusal, entropy))
        return Sides(*sides)

    def _matrix(
        self, arm: str, benchmark: str, metric: str, seeds: Sequence[int]
    ) -> "Float[np.ndarray, 'seed prompt'] | None":
        return np.stack([self._row(Cell(arm, seed, benchmark), metric) for seed in seeds]) if seeds else None

    def _row(self, cell: Cell, metric: str) -> "Float[np.ndarray, ' prompt']":
        if (cell, metric) not in self._rows:
            how = safeedit.METRICS.get(metric) or all_metrics().things[metric]
            exchanges = self._answers.cells[cell]
            scores = np.array([how.score(exchange).value for exchange in exchanges], dtype=float)  # None becomes NaN
            categories = [exchange.prompt.category for exchange in exchanges]
            self._rows[cell, metric] = _by_category(scores, categories) if how.is_by_category else scores
        return self._rows[cell, metric]


def _by_category(scores: "Float[np.ndarray, ' prompt']", categories: Sequence[str]) -> "Float[np.ndarray, ' category']":
    """Mean of each category without NaN, in the order in which they first occur; NaN where nothing is left."""
    names, owner = list(dict.fromkeys(categories)), np.array(categories)
    return np.array([mean_of_scored(scores[owner == name]) for name in names])
