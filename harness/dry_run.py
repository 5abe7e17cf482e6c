"""The plan of a run in words: what would be done, and what is there already."""

import inspect

from harness import ledger
from harness.config import RunConfig
from harness.plan import Plan, PlannedArm, check_requirements
from harness.registry import engine
from harness.run_folder import RunFolder
from methods.unusable import Unusable


def describe_plan(config: RunConfig, plan: Plan) -> str:
    """Arms, benchmarks, seeds and replies; nothing is loaded but the engine, nothing is written.

    Raises:
        UserError: If an arm needs what the engine lacks.
    """
    check_requirements(plan.arms, config.engine, engine(config.engine).offers)
    folder = RunFolder(config.output)
    prompts = {benchmark.name: len(benchmark.prompts) for benchmark in plan.benchmarks}
    total = sum(prompts[cell.benchmark] for cell in plan.cells)
    there = sum(len(ledger.read(folder.replies(cell)).records) for cell in plan.cells)
    return "\n".join(
        [
            f"model       {config.model.name} on engine {config.engine}",
            f"data        {plan.data.name}: {len(plan.data.train)} train and {len(plan.data.dev)} dev prompts",
            f"judge       {config.judge}",
            *(_arm(arm) for arm in plan.arms),
            *(f"benchmark   {name}: {count} of {plan.sizes[name]} prompts" for name, count in prompts.items()),
            f"replies     {total - there} to make, {there} of {total} already there",
            f"output      {config.output}",
        ]
    )


def _arm(arm: PlannedArm) -> str:
    if isinstance(arm.method, Unusable):
        return f"arm         {arm.label} will fail: {inspect.getdoc(arm.method)}"
    of_method = "" if arm.label == arm.method.name else f" ({arm.method.name})"
    return f"arm         {arm.label}{of_method}: seed{'s' * (len(arm.seeds) > 1)} {', '.join(map(str, arm.seeds))}"
