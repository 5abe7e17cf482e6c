"""The prompts that SCANS learns from."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.base import AlignmentData, Prompt, Split
from benchmarks.errors import UserError
from methods.scans.settings import ScansSettings


class Anchors(NamedTuple):
    """As many prompts of each intent, with as many attacks among them, so that an attack tells nothing of intent."""

    harmful: list[Prompt]
    benign: list[Prompt]


class _Pool(NamedTuple):
    kind: str
    intent: str
    prompts: list[Prompt]
    wanted: int


def draw_anchors(data: AlignmentData, settings: ScansSettings, rng: random.Random) -> Anchors:
    """Train prompts of the kind that the settings ask for, drawn without replacement."""
    drawn = [rng.sample(pool.prompts, pool.wanted) for pool in _pools(data, settings)]
    return Anchors(drawn[0] + drawn[1], drawn[2] + drawn[3])


def check_data(data: AlignmentData, settings: ScansSettings) -> None:
    """Refuse data with too few anchors, or without the dev prompts that the threshold is chosen on.

    Raises:
        UserError: Naming what is missing.
    """
    for pool in _pools(data, settings):
        if len(pool.prompts) < pool.wanted:
            other = "" if pool.kind == "plain" else ", or 'anchor_kind' to 'plain'"
            raise UserError(
                f"'scans' learns from {pool.wanted} {pool.kind} {pool.intent} train prompts; alignment data "
                f"'{data.name}' has {len(pool.prompts)}. Set 'anchors' (now {settings.anchors}) lower{other}."
            )
    if settings.threshold_rule != "dev":
        return
    for intent, prompts in (("harmful", data.harmful(Split.DEV)), ("benign", data.benign(Split.DEV))):
        if not prompts:
            raise UserError(
                f"'scans' learns to tell harmful from benign on dev prompts; alignment data '{data.name}' has no "
                f"{intent} one. Use data that has, or set 'threshold_rule' to 'fixed'."
            )


def _pools(data: AlignmentData, settings: ScansSettings) -> list[_Pool]:
    """Where anchors come from: attacked and plain ones, first of the harmful, then of the benign."""
    sources = {"harmful": data.harmful(), "benign": data.benign()}
    attacked = {intent: [prompt for prompt in prompts if prompt.attack] for intent, prompts in sources.items()}
    available = min(len(prompts) for prompts in attacked.values())
    shares = {"plain": 0, "attacked": settings.anchors, "mixed": min(settings.anchors // 2, available)}
    share = shares[settings.anchor_kind]
    pools = []
    for intent, prompts in sources.items():
        pools.append(_Pool("attacked", intent, attacked[intent], share))
        pools.append(_Pool("plain", intent, _plain(prompts), settings.anchors - share))
    return pools


def _plain(prompts: Sequence[Prompt]) -> list[Prompt]:
    """The questions without their attacks; one that is there under several attacks counts once."""
    return list({prompt.plain: prompt.without_attack() if prompt.attack else prompt for prompt in prompts}.values())
