"""The plan of a run in words: what would be done, and what is there already."""

from harness import ledger
from harness.config import RunConfig
from harness.plan import Plan, check_requirements
from harness.registry import engine
from harness.run_folder import RunFolder


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
            *(_arm(arm.label, arm.method.name, arm.seeds) for arm in plan.arms),
            *(f"benchmark   {name}: {count} of {plan.sizes[name]} prompts" for name, count in prompts.items()),
            f"replies     {total - there} to make, {there} of {total} already there",
            f"output      {config.output}",
        ]
    )


def _arm(label: str, method: str, seeds: tuple[int, ...]) -> str:
    of_method = "" if label == method else f" ({method})"
    return f"arm         {label}{of_method}: seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
