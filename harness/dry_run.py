"""The plan of a run in words: what would be done, and what is there already."""

import inspect

from benchmarks.base import Benchmark
from harness.config import RunConfig
from harness.outline import checked_without_weights
from harness.pace import Pace, earlier_pace
from harness.plan import Plan, PlannedArm, check_requirements
from harness.registry import READERS, engine, plain_name
from harness.workload import Workload, workload
from methods.unusable import Unusable


def describe_plan(config: RunConfig, plan: Plan) -> str:
    """Arms, benchmarks, seeds, fits, replies, tokens and time; no weights are loaded, nothing is written.

    Raises:
        UserError: If an arm needs what engine, model or data lacks, or the model cannot be found or read.
    """
    check_requirements(plan.arms, config.engine, engine(config.engine).offers)
    is_read = plain_name(config.engine) in READERS
    arms = checked_without_weights(config.model, plan.arms, plan.data) if is_read else plan.arms
    prompts = {benchmark.name: len(benchmark.prompts) for benchmark in plan.benchmarks}
    total = sum(prompts[cell.benchmark] for cell in plan.cells)
    fits = sum(len(arm.seeds) for arm in plan.arms)
    left, pace = workload(config, plan), earlier_pace(config)
    there = total - sum(left.prompts.values())
    return "\n".join(
        [
            f"model       {config.model.name} on engine {config.engine}",
            f"data        {plan.data.name}: {len(plan.data.train)} train and {len(plan.data.dev)} dev prompts",
            f"judge       {config.judge}",
            *(_arm(arm) for arm in arms),
            *(_benchmark(benchmark, plan.sizes[benchmark.name]) for benchmark in plan.benchmarks),
            f"cells       {len(plan.cells)}: {fits} fits, each with {len(prompts)} benchmarks",
            f"fits        {len(left.fits)} to make, {fits - len(left.fits)} of {fits} already there",
            f"replies     {total - there} to make, {there} of {total} already there",
            f"tokens      about {left.prompt_tokens:,} of prompts (characters / 4, without the chat template), "
            f"at most {left.most_reply_tokens:,} of replies",
            *_time(left, pace, config),
            *_cluster(config),
            f"output      {config.url or config.output}",
        ]
    )


def _cluster(config: RunConfig) -> list[str]:
    if config.cluster is None:
        return []
    where = f"at {config.cluster.address}" if config.cluster.address else "on this machine"
    return [f"cluster     ray {where}: fits side by side, then cells"]


def _time(left: Workload, pace: Pace | None, config: RunConfig) -> list[str]:
    """What an earlier run of the same model lets expect; nothing is claimed without one."""
    if pace is None:
        beside = f"no run of this model with replies of this length lies in '{config.output.parent}'"
        return [f"time        unknown: {beside}"]
    costs = {arm.label: pace.fit(arm) for arm in left.fits}
    known = [
        f"fit         {label}: {cost.forward_equivalents:,.0f} forward equivalents, {cost.seconds:,.1f} s a seed"
        for label, cost in costs.items()
        if cost and any(cost)
    ]
    missing = "".join(f", without {what}" for what in left.unknown(pace))
    minutes = left.seconds(pace) / 60
    span = f"{minutes / 60:,.1f} hours" if minutes >= 60 else f"{minutes:.1f} minutes"
    return [
        *known,
        f"time        about {span} for fits and replies, one after the other{missing}, "
        f"at the pace of '{pace.folder}' ({pace.hardware})",
    ]


def _benchmark(benchmark: Benchmark, size: int) -> str:
    dropped = f"; {benchmark.dropped} more are in the data to learn from" if benchmark.dropped else ""
    return f"benchmark   {benchmark.name}: {len(benchmark.prompts)} of {size} prompts{dropped}"


def _arm(arm: PlannedArm) -> str:
    if isinstance(arm.method, Unusable):
        return f"arm         {arm.label} will fail: {inspect.getdoc(arm.method)}"
    of_method = "" if arm.label == arm.method.name else f" ({arm.method.name})"
    return f"arm         {arm.label}{of_method}: seed{'s' * (len(arm.seeds) > 1)} {', '.join(map(str, arm.seeds))}"
