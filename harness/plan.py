"""What a configuration comes to, found out before any work: methods with checked settings, benchmarks with prompts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from benchmarks.base import AlignmentData, Benchmark
from benchmarks.errors import UserError, unknown_name
from benchmarks.registry import load_alignment, load_benchmark
from harness.arms import ArmSpec
from harness.config import RunConfig
from harness.registry import ENGINES
from methods.base import Method, Requirements
from methods.registry import method_type
from methods.settings import build_settings
from metrics.registry import judge


class Cell(NamedTuple):
    """One benchmark answered by one arm fitted with one seed."""

    arm: str
    seed: int
    benchmark: str


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """An arm that is ready to be fitted."""

    label: str
    method: Method
    seeds: tuple[int, ...]
    """The first alone where the fit does not depend on it: its replies then serve every seed."""

    @property
    def settings(self) -> dict[str, Any]:
        """All settings, defaults included."""
        return asdict(self.method.settings)


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of a run, and what they are made of."""

    arms: tuple[PlannedArm, ...]
    benchmarks: tuple[Benchmark, ...]
    """After `--limit`."""
    sizes: dict[str, int]
    """Prompts of each benchmark before `--limit`."""
    data: AlignmentData

    @property
    def cells(self) -> tuple[Cell, ...]:
        """In the order in which they are run."""
        return tuple(
            Cell(arm.label, seed, benchmark.name)
            for arm in self.arms
            for seed in arm.seeds
            for benchmark in self.benchmarks
        )


def make_plan(config: RunConfig) -> Plan:
    """Load what a run needs besides the model.

    Raises:
        UserError: If a name is unknown, a setting is wrong, or a benchmark has no prompts or two with one id.
    """
    judge(config.judge)
    if config.engine not in ENGINES:
        raise unknown_name("engine", config.engine, ENGINES)
    arms = tuple(_planned(spec, config.seeds) for spec in config.arms)
    whole = [load_benchmark(name) for name in config.benchmarks]
    for benchmark in whole:
        _check_prompts(benchmark)
    limited = tuple(benchmark.limited(config.limit) for benchmark in whole)
    sizes = {benchmark.name: len(benchmark.prompts) for benchmark in whole}
    return Plan(arms, limited, sizes, load_alignment(config.data))


def check_requirements(arms: Sequence[PlannedArm], engine: str, offered: Requirements) -> None:
    """Refuse arms that the engine cannot serve, before any of them costs time.

    Raises:
        UserError: Naming the method, what is missing, and the engines that have it.
    """
    for arm in arms:
        missing = " and ".join(arm.method.needs.missing_from(offered))
        if missing:
            able = [name for name in _engines_for(arm.method.needs) if name != engine]
            way_out = (
                f"Use --engine {' or '.join(able)}." if able else "No engine here offers it; leave the method out."
            )
            raise UserError(
                f"Method '{arm.method.name}' needs {missing}, which engine '{engine}' does not offer. {way_out}"
            )


def _engines_for(needs: Requirements) -> list[str]:
    able = []
    for name, make in ENGINES.items():
        try:
            offers = make().offers
        except (ImportError, UserError):  # an engine whose package is not installed is no way out
            continue
        if not needs.missing_from(offers):
            able.append(name)
    return able


def _planned(spec: ArmSpec, seeds: tuple[int, ...]) -> PlannedArm:
    kind = method_type(spec.method)
    method = kind(build_settings(kind.settings_type, spec.settings, spec.method))
    return PlannedArm(spec.label, method, seeds if kind.is_seeded else seeds[:1])


def _check_prompts(benchmark: Benchmark) -> None:
    if not benchmark.prompts:
        raise UserError(f"Benchmark '{benchmark.name}' has no prompts. Leave it out of --benchmarks.")
    name, count = Counter(prompt.id for prompt in benchmark.prompts).most_common(1)[0]
    if count > 1:
        raise UserError(f"Benchmark '{benchmark.name}' has {count} prompts with the id '{name}'; ids must be unique.")
