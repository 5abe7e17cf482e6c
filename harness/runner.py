"""The run: every arm fitted, every benchmark answered, everything on disk as it comes."""

from harness import registry
from harness.board import Board
from harness.cluster.ray_cluster import run_on_ray
from harness.config import RunConfig
from harness.doctor import preflight
from harness.plan import Plan, check_requirements
from harness.progress import Display
from harness.protocol import make_protocol
from harness.provenance import command_line, provenance
from harness.remote.opened import opened_to_run
from harness.run_folder import RunFolder
from harness.session import Session, described
from harness.working import tell_left_behind
from methods import registry as methods


def run(config: RunConfig, plan: Plan, display: Display) -> tuple[str, ...]:
    """Do what is left to do of a comparison.

    Returns:
        Labels of the arms that failed; their tracebacks are in the run folder.

    Raises:
        UserError: If an arm needs what the engine, the model or the data lacks, the model cannot be loaded, another
            process has the run folder, the folder cannot be written to or the URL not reached, or the protocol changed.
    """
    engine = registry.engine(config.engine)
    check_requirements(plan.arms, config.engine, engine.offers)
    for line in methods.CATALOGUE.hidden({name for arm in config.arms for name in arm.method.split("+")}):
        display.note(f"warning: {line}")
    preflight(config, plan, display)
    folder = RunFolder(config.output, config.url)
    with opened_to_run(folder, display.note) as mirror:
        tell_left_behind(folder.root, display.note)
        if config.cluster:
            return run_on_ray(config, plan, config.cluster, folder, display, mirror)
        session = Session(config, plan, folder, display, engine)
        arms = session.prepare()
        facts = provenance(command_line(), str(session.model.device))
        folder.begin(make_protocol(config, session.plan, session.model), described(plan.arms), plan.benchmarks, facts)
        display.board = Board.of(plan, folder, config.judge)
        if mirror:
            mirror.push()  # what is made from here on belongs to a run that is known there
        return tuple(arm.label for arm in arms if not session.survives(arm))
