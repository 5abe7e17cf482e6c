"""What a study is to do: flags over defaults, most of them those of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.brackets import parse_settings
from benchmarks.errors import UserError, unknown_name
from harness import values
from harness.arms import ArmSpec, parse_arms
from harness.config import RunConfig, build_config
from harness.tuning.budget import Budget, Unit
from harness.tuning.dev_prompts import OBJECTIVES

TRIALS = 20
"""The budget of a study that is given none."""

_NOT_ASKED = "embedded_benign"
"""A run must name a benchmark; trials answer dev prompts instead."""


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """One study, fully spelt out."""

    run: RunConfig
    """Model, data, judge, decoding, seed and folder, as a run has them; its benchmarks are not looked at."""
    arm: ArmSpec
    """The method, and the settings that are not searched."""
    objective: str
    budget: Budget
    dev_prompts: int | None
    """Most prompts of either intent; None: all."""

    @property
    def seed(self) -> int:
        """Of every fit and of the search."""
        return self.run.seeds[0]


def build_tuning(method: str, given: Mapping[str, Any]) -> TuningConfig:
    """The study that `given` asks for: flags by name with `_`; None counts as absent.

    Raises:
        UserError: If a value cannot be used.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    arm = _arm(method, chosen.pop("set", []))
    objective = values.text("objective", chosen.pop("objective", OBJECTIVES[0]))
    if objective not in OBJECTIVES:
        raise unknown_name("objective", objective, OBJECTIVES)
    budget = _budget(chosen.pop("trials", None), chosen.pop("forward_equivalents", None))
    limit = chosen.pop("dev_prompts", None)
    dev_prompts = None if limit is None else values.whole_number("dev prompts", limit, low=1)
    seed = values.whole_number("seed", chosen.pop("seed", 0), low=0)
    output = chosen.pop("output", Path("runs") / "tune" / arm.label)
    run = build_config({**chosen, "methods": (arm,), "seeds": seed, "output": output, "benchmarks": _NOT_ASKED})
    if run.url:
        raise UserError(f"output is '{run.url}'; a study needs a folder of this machine. Copy it there afterwards.")
    return TuningConfig(run, run.arms[-1], objective, budget, dev_prompts)  # with the model's own settings


def _arm(method: str, fixed: Sequence[str]) -> ArmSpec:
    """The method with what it or `--set` fixes."""
    arms = parse_arms(method)
    if len(arms) > 1:
        raise UserError(f"'{method}' names {len(arms)} methods; tune one at a time, each with the same budget.")
    if arms[0].tuned:
        raise UserError(f"'{method}' has tuned settings, which 'tune' is to find. Leave '@{arms[0].tuned}' out.")
    settings = dict(arms[0].settings)
    for text in fixed:
        settings |= parse_settings(text, method)
    return ArmSpec(arms[0].label, arms[0].method, settings)


def _budget(trials: object, forward_equivalents: object) -> Budget:
    if trials is not None and forward_equivalents is not None:
        raise UserError("Both --trials and --forward-equivalents are given; a budget is one of them.")
    if forward_equivalents is not None:
        return Budget(Unit.FORWARD_EQUIVALENTS, values.real_number("forward equivalents", forward_equivalents))
    return Budget(Unit.TRIALS, values.whole_number("trials", TRIALS if trials is None else trials, low=1))
