"""Which questions the detector learns from and is chosen on: malicious and benign ones of train and of dev."""

import random
from collections.abc import Sequence
from itertools import zip_longest
from statistics import fmean
from typing import NamedTuple

from benchmarks.base import AlignmentData, Prompt, Split
from benchmarks.errors import UserError
from methods.cavgan.settings import CavganSettings


class Questions(NamedTuple):
    """As many of each class in train, and as many in dev, as there are, up to the setting."""

    train_malicious: list[Prompt]
    train_benign: list[Prompt]
    dev_malicious: list[Prompt]
    dev_benign: list[Prompt]


def draw_questions(data: AlignmentData, settings: CavganSettings, rng: random.Random) -> Questions:
    """Questions of the asked kind, without repetition."""
    pools = (data.harmful(), data.benign(), data.harmful(Split.DEV), data.benign(Split.DEV))
    return Questions(*(_draw(pool, settings.questions, settings.question_kind, rng) for pool in pools))


def check_data(data: AlignmentData, settings: CavganSettings) -> None:
    """Refuse data in which a class of questions is missing.

    Raises:
        UserError: Naming it.
    """
    wanted = {
        "harmful train prompts": data.harmful(),
        "benign train prompts": data.benign(),
        "harmful dev prompts": data.harmful(Split.DEV),
        "benign dev prompts": data.benign(Split.DEV),
    }
    if settings.question_kind == "attacked":
        for split in (Split.TRAIN, Split.DEV):
            wanted[f"attacked harmful {split} prompts"] = tuple(p for p in data.harmful(split) if p.attack)
    for what, found in wanted.items():
        if not found:
            raise UserError(f"CAVGAN needs {what}; alignment data '{data.name}' has none.")


def sources(prompts: Sequence[Prompt]) -> list[str]:
    """Where they come from, in the order of first appearance."""
    return list(dict.fromkeys(prompt.source for prompt in prompts))


def shares_by_source(prompts: Sequence[Prompt], marks: Sequence[bool]) -> dict[str, float]:
    """Share of every source's prompts that are marked."""
    by_source: dict[str, list[bool]] = {name: [] for name in sources(prompts)}
    for prompt, is_marked in zip(prompts, marks, strict=True):
        by_source[prompt.source].append(is_marked)
    return {name: round(fmean(found), 4) for name, found in by_source.items()}


def _draw(prompts: Sequence[Prompt], count: int, kind: str, rng: random.Random) -> list[Prompt]:
    attacked = [prompt for prompt in prompts if prompt.attack]
    plain = [prompt for prompt in prompts if not prompt.attack] or _plainly(attacked)
    wrapped = {"mixed": count // 2, "attacked": count, "plain": 0}[kind] if attacked else 0
    return _evenly(attacked, wrapped, rng) + _evenly(plain, count - wrapped, rng)


def _evenly(prompts: Sequence[Prompt], count: int, rng: random.Random) -> list[Prompt]:
    """Up to `count` of them, of every source as many as of the others as long as it has any."""
    by_source: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        by_source.setdefault(prompt.source, []).append(prompt)
    dealt = [rng.sample(some, min(count, len(some))) for some in by_source.values()]
    return [prompt for turn in zip_longest(*dealt) for prompt in turn if prompt][:count]


def _plainly(attacked: Sequence[Prompt]) -> list[Prompt]:
    """Every attacked question once, without its attack."""
    return list({prompt.question_id: prompt.without_attack() for prompt in attacked}.values())
