"""Which prompts NeuronTune attributes and tunes on: strategic attack selection, and the local and global sets."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.base import AlignmentData, Prompt, Split
from benchmarks.errors import UserError
from methods.neurontune.settings import NeuronTuneSettings


class TuningSets(NamedTuple):
    """The data of algorithm 1, and the dev prompts on which its best epoch is chosen."""

    local_safety: list[Prompt]
    local_utility: list[Prompt]
    global_safety: list[Prompt]
    global_utility: list[Prompt]
    validation_safety: list[Prompt]
    validation_utility: list[Prompt]


class UtilitySamples(NamedTuple):
    """Benign prompts to attribute, and how."""

    prompts: list[Prompt]
    attribution: str
    """As the setting of that name; from zero where no attacked question is there to start a path for."""


def chance(seed: int, purpose: str) -> random.Random:
    """A generator of its own for every purpose: what one ablation leaves out changes no draw of the others."""
    return random.Random(f"neurontune {purpose} {seed}")


def attacked_harmful(data: AlignmentData, split: Split = Split.TRAIN) -> list[Prompt]:
    """Attacked harmful prompts that come with a safe response."""
    return [prompt for prompt in data.harmful(split) if prompt.attack and prompt.references.safe]


def answered_benign(data: AlignmentData, split: Split = Split.TRAIN) -> list[Prompt]:
    """Benign prompts, attacked ones among them, that come with a useful answer."""
    return [prompt for prompt in data.benign(split) if prompt.references.useful]


def strategies(data: AlignmentData) -> dict[str, list[Prompt]]:
    """Attacked harmful prompts by strategy, those of a single strategy only (appendix A.6)."""
    found: dict[str, list[Prompt]] = {}
    for prompt in attacked_harmful(data):
        if prompt.attack and prompt.attack.is_single:
            found.setdefault(prompt.attack.categories[0], []).append(prompt)
    return dict(sorted(found.items()))


def safety_samples(data: AlignmentData, settings: NeuronTuneSettings, seed: int) -> list[Prompt]:
    """The attacked questions to attribute: one per strategy that stands alone, or as many by the ablation's rule."""
    by_strategy, rng = strategies(data), chance(seed, "safety samples")
    if settings.attack_selection == "single_category":
        return [rng.choice(prompts) for prompts in by_strategy.values()]
    some = rng.sample(attacked_harmful(data), len(by_strategy))
    return some if settings.attack_selection == "random" else [prompt.without_attack() for prompt in some]


def utility_samples(data: AlignmentData, settings: NeuronTuneSettings, seed: int) -> UtilitySamples:
    """The benign prompts to attribute: attacked ones where the path starts at the plain question, else plain ones."""
    answered, attribution = answered_benign(data), settings.utility_attribution
    fitting = [prompt for prompt in answered if prompt.attack]
    if attribution != "attacked_question" or not fitting:
        fitting = [prompt for prompt in answered if not prompt.attack]
        attribution = "zero_baseline" if attribution == "attacked_question" else attribution
    return UtilitySamples(_some(fitting, settings.utility_samples, chance(seed, "utility samples")), attribution)


def tuning_sets(data: AlignmentData, settings: NeuronTuneSettings, seed: int) -> TuningSets:
    """Local sets from the selected strategies, global sets from other questions in train, validation from dev (B9)."""
    single = [prompt for prompts in strategies(data).values() for prompt in prompts]
    rng = chance(seed, "tuning sets")
    local_safety, global_safety = _apart(single, attacked_harmful(data), settings, rng)
    local_utility, global_utility = _apart(answered_benign(data), answered_benign(data), settings, rng)
    return TuningSets(
        local_safety=local_safety,
        local_utility=local_utility,
        global_safety=global_safety,
        global_utility=global_utility,
        validation_safety=_some(attacked_harmful(data, Split.DEV), settings.validation_samples, rng),
        validation_utility=_some(answered_benign(data, Split.DEV), settings.validation_samples, rng),
    )


def _apart(
    narrow: Sequence[Prompt], wide: Sequence[Prompt], settings: NeuronTuneSettings, rng: random.Random
) -> tuple[list[Prompt], list[Prompt]]:
    """A local and a global set that share no question; where there are few questions, half of them for either."""
    questions = len({prompt.question_id for prompt in wide})
    local = _some(narrow, min(settings.local_samples, questions // 2), rng)
    asked = {prompt.question_id for prompt in local}
    return local, _some([prompt for prompt in wide if prompt.question_id not in asked], settings.global_samples, rng)


def _some(prompts: Sequence[Prompt], count: int, rng: random.Random) -> list[Prompt]:
    return rng.sample(list(prompts), min(count, len(prompts)))


def check_data(data: AlignmentData, settings: NeuronTuneSettings) -> None:
    """Refuse data that lacks what both stages need.

    Raises:
        UserError: Naming what is missing.
    """
    wanted = {
        "an attacked harmful train prompt of a single strategy with a safe response": strategies(data),
        "a benign train prompt with a useful answer": utility_samples(data, settings, 0).prompts,
        "an attacked harmful dev prompt with a safe response": attacked_harmful(data, Split.DEV),
        "a benign dev prompt with a useful answer": answered_benign(data, Split.DEV),
    }
    for what, found in wanted.items():
        if not found:
            raise UserError(f"NeuronTune needs {what}; alignment data '{data.name}' has none.")
    for what, prompts in (
        ("attacked harmful", attacked_harmful(data)),
        ("answered benign", answered_benign(data)),
    ):
        if len({prompt.question_id for prompt in prompts}) == 1:
            raise UserError(
                f"NeuronTune needs two {what} train questions, one for its local and one for its global set; alignment "
                f"data '{data.name}' has 1."
            )
    attacked = [*attacked_harmful(data), *attacked_harmful(data, Split.DEV)]
    if settings.safety_loss == "margin" and any(prompt.references.unsafe is None for prompt in attacked):
        raise UserError(
            f"Setting 'safety_loss' of 'neurontune' is 'margin', which needs an unsafe response to every attacked "
            f"prompt; alignment data '{data.name}' lacks some. Use 'nll'."
        )
