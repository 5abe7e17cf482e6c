"""What a configuration comes to, found out before any work: methods with checked settings, benchmarks with prompts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from benchmarks.base import AlignmentData, Benchmark
from benchmarks.errors import UserError
from benchmarks.leakage import shared_templates, without_learnt
from benchmarks.plugins import PluginError, outside
from benchmarks.registry import ALIGNMENT, load_alignment, load_benchmark
from benchmarks.withholding import withheld
from harness import registry
from harness.arms import ArmSpec
from harness.config import RunConfig
from harness.fingerprint import source_hash
from harness.instances import check_instances
from harness.tuning.chosen import Chosen, read_chosen
from methods.base import ChatModel, Method, Requirements
from methods.contract import made
from methods.per_instance import needs_of
from methods.registry import METHODS, method_type
from methods.settings import build_settings
from methods.unusable import unusable
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
    tuning: Mapping[str, Any] | None = None
    """What `equipoise tune` says of the settings, if it chose them; `overridden` lists those given instead."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the source files of methods from outside, so that no run goes on with another version of them."""

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
    """Prompts of each benchmark before `--limit`, without those that a method may learn from."""
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
        UserError: If a name is unknown, a setting is wrong, or a benchmark has no prompts or two with one id. A method
            from outside that cannot be used is none: its arm is planned, and fails. Or if a method learns from the
            instances of prompts that have none.
    """
    judge(config.judge)
    registry.CATALOGUE.find(registry.plain_name(config.engine))
    arms = tuple(planned(spec, config.seeds) for spec in config.arms)
    data = load_alignment(config.data)
    whole = [without_learnt(load_benchmark(name), data) for name in config.benchmarks]
    _check_names(whole)
    for benchmark in whole:
        _check_prompts(benchmark)
    check_instances([arm.method for arm in arms], whole)
    if config.data not in ALIGNMENT:  # the built-in world keeps some of its templates for tests
        data = replace(data, notes=(*data.notes, *shared_templates(whole, data)))
    limited = tuple(benchmark.limited(config.limit) for benchmark in whole)
    sizes = {benchmark.name: len(benchmark.prompts) for benchmark in whole}
    return Plan(arms, limited, sizes, data)


def check_requirements(arms: Sequence[PlannedArm], engine: str, offered: Requirements) -> None:
    """Refuse arms that the engine cannot serve, before any of them costs time.

    Raises:
        UserError: Naming the method, what is missing, and the engines that have it.
    """
    for arm in arms:
        needs = needs_of(arm.method)
        missing = " and ".join(needs.missing_from(offered))
        if missing:
            able = [name for name in _engines_for(needs) if name != registry.plain_name(engine)]
            way_out = (
                f"Use --engine {' or '.join(able)}." if able else "No engine here offers it; leave the method out."
            )
            raise UserError(
                f"Method '{arm.method.name}' needs {missing}, which engine '{engine}' does not offer. {way_out}"
            )


def check_model(arms: Sequence[PlannedArm], model: ChatModel) -> None:
    """Refuse arms that this model cannot serve, though its engine could serve them on another.

    Raises:
        UserError: Naming the method, what is missing, and what would have it.
    """
    for arm in arms:
        missing = needs_of(arm.method).missing_from(model.offers)
        if missing:
            has_experts = missing == ("neurons",)
            raise UserError(
                f"Method '{arm.method.name}' needs {' and '.join(missing)}, which model '{model.name}' does not offer"
                + (", being a mixture of experts. Use a dense model" if has_experts else ". Use another model")
                + ", or leave the method out."
            )


def check_arm(arm: PlannedArm, model: ChatModel, data: AlignmentData) -> PlannedArm:
    """The arm, or one with a stand-in that fails if the check of its method breaks.

    Raises:
        UserError: If the method refuses this model or this data.
    """
    origin = f"Method '{arm.method.name}'"
    try:
        with outside(origin, "checked"), withheld(origin, "checked"):
            arm.method.check(model, data)
    except PluginError as error:
        return replace(arm, method=unusable(arm.method.name, error))
    return arm


def _engines_for(needs: Requirements) -> list[str]:
    able = []
    for name in registry.CATALOGUE.available().things:
        try:
            offers = registry.engine(name).offers
        except (ImportError, UserError):  # an engine whose package is not installed is no way out
            continue
        if not needs.missing_from(offers):
            able.append(name)
    return able


def planned(spec: ArmSpec, seeds: tuple[int, ...]) -> PlannedArm:
    """An arm with its settings checked.

    Raises:
        UserError: As `make_plan`.
    """
    try:
        kind = method_type(spec.method)
        chosen = _chosen(spec, kind)
        tuned = {**spec.own, **(chosen.settings if chosen else {})}
        method = made(kind, build_settings(kind.settings_type, {**tuned, **spec.settings}, kind.name))
    except PluginError as error:
        return PlannedArm(spec.label, unusable(spec.method, error), seeds[:1])
    tuning = {**chosen.facts, "overridden": _overridden(kind, tuned, method)} if chosen else None
    return PlannedArm(spec.label, method, seeds if kind.is_seeded else seeds[:1], tuning, code_of(spec))


def _chosen(spec: ArmSpec, kind: type[Method]) -> Chosen | None:
    """The tuned settings that an arm names."""
    chosen = read_chosen(spec.tuned) if spec.tuned else None
    if chosen and chosen.method not in (kind.name, spec.method):
        raise UserError(
            f"'{spec.tuned}' holds settings that were tuned for '{chosen.method}', not for '{kind.name}'. "
            f"Write '{chosen.method}@{spec.tuned}', or tune '{kind.name}'."
        )
    return chosen


def _overridden(kind: type[Method], tuned: Mapping[str, Any], method: Method) -> list[str]:
    """Names of the settings in which an arm is not as it was tuned."""
    as_tuned: object = build_settings(kind.settings_type, tuned, kind.name)
    return [name for name, value in asdict(method.settings).items() if getattr(as_tuned, name) != value]


def code_of(spec: ArmSpec) -> dict[str, str]:
    """By name, a hash of every part of an arm that comes from outside."""
    kinds = [method_type(part.strip()) for part in spec.method.split("+")]
    return {kind.name: source_hash(kind) for kind in kinds if kind not in METHODS.values()}


def _check_names(benchmarks: Sequence[Benchmark]) -> None:
    name, count = Counter(benchmark.name for benchmark in benchmarks).most_common(1)[0]
    if count > 1:
        raise UserError(f"{count} benchmarks are named '{name}'; give each that you wrote a name of its own.")


def _check_prompts(benchmark: Benchmark) -> None:
    if not benchmark.prompts:
        raise UserError(f"Benchmark '{benchmark.name}' has no prompts. Leave it out of --benchmarks.")
    name, count = Counter(prompt.id for prompt in benchmark.prompts).most_common(1)[0]
    if count > 1:
        raise UserError(f"Benchmark '{benchmark.name}' has {count} prompts with the id '{name}'; ids must be unique.")
