"""What a study comes to, found out before any work."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.base import AlignmentData
from benchmarks.errors import UserError
from benchmarks.registry import load_alignment
from harness.instances import check_instances
from harness.plan import Plan, PlannedArm, code_of
from harness.protocol import Protocol, make_protocol
from harness.tuning.budget import Budget
from harness.tuning.config import TuningConfig
from harness.tuning.dev_prompts import DevPrompts, dev_prompts
from harness.tuning.space import Space
from methods.base import ChatModel, Method
from methods.contract import made
from methods.registry import method_type
from methods.settings import build_settings
from metrics.base import Judge
from metrics.registry import judge


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """All that a study needs besides the model."""

    config: TuningConfig
    kind: type[Method]
    space: Space
    data: AlignmentData
    questions: DevPrompts
    judge: Judge

    @property
    def root(self) -> Path:
        """Folder of the study."""
        return self.config.run.output

    @property
    def arm(self) -> PlannedArm:
        """The method with its defaults and the fixed settings, as a run would plan it."""
        spec = self.config.arm
        return PlannedArm(spec.label, self.method({}), (self.config.seed,), code=code_of(spec))

    @property
    def dev_prompts(self) -> int:
        """Prompts that a trial answers."""
        return sum(len(side.prompts) for side in self.questions)

    def method(self, point: Mapping[str, Any]) -> Method:
        """The method at a point of the space."""
        settings = {**self.config.arm.own, **self.config.arm.settings, **point}
        return made(self.kind, build_settings(self.kind.settings_type, settings, self.kind.name))

    @property
    def run(self) -> Plan:
        """A trial as a run on the dev prompts."""
        sizes = {side.name: len(side.prompts) for side in dev_prompts(self.data, None)}
        return Plan((self.arm,), tuple(self.questions), sizes, self.data)

    def protocol(self, model: ChatModel) -> Protocol:
        """All that decides the trials: the protocol of a run on the dev prompts, and what is searched for what."""
        searched = {known.name: known.search for known in self.space.settings}
        tuning = {"objective": self.config.objective, "searched": searched, "optuna": version("optuna")}
        plain: Protocol = json.loads(json.dumps({"tuning": tuning}, default=asdict))
        return {**plain, **make_protocol(self.config.run, self.run, model)}


def plan_study(config: TuningConfig) -> StudyPlan:
    """Load what a study needs besides the model.

    Raises:
        UserError: If a name is unknown, a setting is wrong, nothing can be searched, or dev prompts are missing.
    """
    kind = method_type(config.arm.method)
    build_settings(kind.settings_type, config.arm.settings, kind.name)
    space = Space.of(kind, config.arm.settings, config.arm.own)
    data = load_alignment(config.run.data)
    plan = StudyPlan(config, kind, space, data, dev_prompts(data, config.dev_prompts), judge(config.run.judge))
    check_instances([plan.method({})], plan.questions)
    if not config.budget.allows_another((), plan.dev_prompts):
        raise too_small(config.budget, plan.dev_prompts)
    return plan


def too_small(budget: Budget, least: float) -> UserError:
    """The error for a budget that does not pay for the first trial."""
    return UserError(f"A budget of {budget} is too small: a trial takes {least:,.0f} or more. Give a larger one.")
