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


def safety_samples(data: AlignmentData, settings: NeuronTuneSettings, rng: random.Random) -> list[Prompt]:
    """The attacked questions to attribute: one per strategy that stands alone, or as many by the ablation's rule."""
    by_strategy = strategies(data)
    if settings.attack_selection == "single_category":
        return [rng.choice(prompts) for prompts in by_strategy.values()]
    if settings.attack_selection == "random":
        return rng.sample(attacked_harmful(data), len(by_strategy))
    return [prompt.without_attack() for prompt in rng.sample(attacked_harmful(data), len(by_strategy))]


def utility_samples(data: AlignmentData, settings: NeuronTuneSettings, rng: random.Random) -> list[Prompt]:
    """The benign prompts to attribute: plain ones, or attacked ones where the path starts at the plain question."""
    wants_attack = settings.utility_attribution == "attacked_question"
    fitting = [prompt for prompt in answered_benign(data) if (prompt.attack is not None) == wants_attack]
    return rng.sample(fitting, min(settings.utility_samples, len(fitting)))


def tuning_sets(data: AlignmentData, settings: NeuronTuneSettings, rng: random.Random) -> TuningSets:
    """Local sets from the selected strategies, global sets from everything in train, validation from dev (B9)."""
    single = [prompt for prompts in strategies(data).values() for prompt in prompts]

    def some(prompts: Sequence[Prompt], count: int) -> list[Prompt]:
        return rng.sample(list(prompts), min(count, len(prompts)))

    return TuningSets(
        local_safety=some(single, settings.local_samples),
        local_utility=some(answered_benign(data), settings.local_samples),
        global_safety=some(attacked_harmful(data), settings.global_samples),
        global_utility=some(answered_benign(data), settings.global_samples),
        validation_safety=some(attacked_harmful(data, Split.DEV), settings.validation_samples),
        validation_utility=some(answered_benign(data, Split.DEV), settings.validation_samples),
    )


def check_data(data: AlignmentData, settings: NeuronTuneSettings) -> None:
    """Refuse data that lacks what both stages need.

    Raises:
        UserError: Naming what is missing.
    """
    wanted = {
        "an attacked harmful train prompt of a single strategy with a safe response": strategies(data),
        "a benign train prompt with a useful answer": utility_samples(data, settings, random.Random(0)),
        "an attacked harmful dev prompt with a safe response": attacked_harmful(data, Split.DEV),
        "a benign dev prompt with a useful answer": answered_benign(data, Split.DEV),
    }
    for what, found in wanted.items():
        if not found:
            raise UserError(f"NeuronTune needs {what}; alignment data '{data.name}' has none.")
    attacked = [*attacked_harmful(data), *attacked_harmful(data, Split.DEV)]
    if settings.safety_loss == "margin" and any(prompt.references.unsafe is None for prompt in attacked):
        raise UserError(
            f"Setting 'safety_loss' of 'neurontune' is 'margin', which needs an unsafe response to every attacked "
            f"prompt; alignment data '{data.name}' lacks some. Use 'nll'."
        )
