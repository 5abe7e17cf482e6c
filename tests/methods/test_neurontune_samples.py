from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.base import AlignmentData, Prompt, Reply
from benchmarks.errors import UserError
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from methods.neurontune import tuning_pairs
from methods.neurontune.cases import safe_response
from methods.neurontune.method import FittedNeuronTune, NeuronTune
from methods.neurontune.samples import TuningSets, safety_samples, tuning_sets, utility_samples
from methods.neurontune.settings import NeuronTuneSettings
from tests.methods.tiny_models import embedded_data, tiny

SETTINGS = NeuronTuneSettings(
    safety_neurons=6,
    utility_neurons=9,
    path_steps=1,
    path_refinements=0,
    utility_samples=2,
    epochs=1,
    inner_steps=1,
    batch_size=1,
    reply_tokens=4,
    validation_samples=2,
)
SILENT = lambda stage, done, total: None  # noqa: E731, ARG005
QUESTION = next(prompt for prompt in embedded_data().train if prompt.attack and prompt.references.safe)


def fit(settings: NeuronTuneSettings, data: AlignmentData | None = None) -> FittedNeuronTune:
    fitted = NeuronTune(settings).fit(tiny(), data or embedded_data(), 0, SILENT)
    assert isinstance(fitted, FittedNeuronTune)
    return fitted


@pytest.mark.parametrize("changes", [
    {"pinpointing": "random"},
    {"pinpointing": "shuffled_labels"},
    {"attack_selection": "random"},
    {"attack_selection": "plain"},
    {"utility_attribution": "zero_baseline"},
    {"utility_neurons": 0.0},
    {"safety_neurons": 0.0},
    {"utility_samples": 5},
], ids=str)  # fmt: skip
def test_every_ablation_is_tuned_on_the_prompts_of_the_full_method(
    changes: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TuningSets] = []
    encode = tuning_pairs.encode_sets

    def watch(model: TransformersModel, sets: TuningSets, settings: NeuronTuneSettings) -> tuning_pairs.TuningPairs:
        seen.append(sets)
        return encode(model, sets, settings)

    monkeypatch.setattr(tuning_pairs, "encode_sets", watch)
    fit(SETTINGS)
    fit(replace(SETTINGS, **changes))
    assert seen[0] == seen[1]


def test_another_seed_draws_other_prompts() -> None:
    assert tuning_sets(embedded_data(), SETTINGS, 0) != tuning_sets(embedded_data(), SETTINGS, 1)
    assert safety_samples(embedded_data(), SETTINGS, 0) != safety_samples(embedded_data(), SETTINGS, 1)
    assert utility_samples(embedded_data(), SETTINGS, 0) != utility_samples(embedded_data(), SETTINGS, 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_local_and_the_global_set_share_no_question(seed: int) -> None:
    sets = tuning_sets(embedded_data(), NeuronTuneSettings(local_samples=16, global_samples=64), seed)
    for local, whole in ((sets.local_safety, sets.global_safety), (sets.local_utility, sets.global_utility)):
        assert len(local) == 16
        assert whole
        assert not questions(local) & questions(whole)


def questions(prompts: list[Prompt]) -> set[str]:
    return {prompt.question_id for prompt in prompts}


def few(count: int) -> AlignmentData:
    """The embedded data with so many attacked harmful train questions."""
    data = embedded_data()
    kept = sorted(questions([prompt for prompt in data.train if prompt.attack and prompt.references.safe]))[:count]
    train = (
        prompt
        for prompt in data.train
        if prompt.references.useful or (prompt.question_id in kept and prompt.attack and prompt.attack.is_single)
    )
    return AlignmentData("few", tuple(train), data.dev)


def test_of_few_questions_each_set_has_half() -> None:
    data = few(5)
    sets = tuning_sets(data, NeuronTuneSettings(local_samples=16, global_samples=64), 0)
    assert len(sets.local_safety) == 2
    assert len(questions(sets.global_safety)) >= 3
    assert not questions(sets.local_safety) & questions(sets.global_safety)


def test_a_single_question_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        NeuronTune(SETTINGS).check(tiny(), few(1))
    assert str(caught.value) == (
        "NeuronTune needs two attacked harmful train questions, one for its local and one for its global set; "
        "alignment data 'few' has 1."
    )


@pytest.mark.parametrize(("changes", "attributed"), [
    ({"utility_neurons": 0.0}, [3, 0]),
    ({"safety_neurons": 0.0}, [0, 2]),
    ({"utility_neurons": 0.0, "safety_neurons": 0.0}, [0, 0]),
    # Labels can only be shuffled where both kinds are there.
    ({"utility_neurons": 0.0, "pinpointing": "shuffled_labels"}, [3, 2]),
], ids=str)  # fmt: skip
def test_for_a_set_without_neurons_nothing_is_attributed(changes: Mapping[str, Any], attributed: list[int]) -> None:
    fitted = fit(replace(SETTINGS, adaptive=False, **changes))
    assert fitted.diagnostics()["attributed_samples"] == attributed
    told = [f"mean_{name}_score_by_layer" in fitted.diagnostics() for name in ("safety", "utility")]
    assert told == [count > 0 for count in attributed]
    assert (fitted.cost.forward_equivalents > 0) == (sum(attributed) > 0)


def without_attacked_benign() -> AlignmentData:
    data = embedded_data()
    train = (prompt for prompt in data.train if not (prompt.attack and prompt.references.useful))
    return AlignmentData("plain", tuple(train), data.dev)


def test_benign_questions_are_attributed_under_attack_where_the_data_attacks_them() -> None:
    found = utility_samples(embedded_data(), NeuronTuneSettings(), 0)
    assert found.attribution == "attacked_question"
    assert len(found.prompts) == 16
    assert all(prompt.attack for prompt in found.prompts)


def test_benign_questions_are_attributed_from_zero_where_none_is_attacked_and_the_fit_says_so() -> None:
    found = utility_samples(without_attacked_benign(), SETTINGS, 0)
    assert found.attribution == "zero_baseline"
    assert found.prompts
    fitted = fit(replace(SETTINGS, adaptive=False), without_attacked_benign())
    assert fitted.diagnostics()["utility_attribution"] == (
        "zero_baseline, for the data has no attacked benign train prompt to use attacked_question on"
    )
    asked = fit(replace(SETTINGS, adaptive=False, utility_attribution="zero_baseline"), without_attacked_benign())
    assert asked.diagnostics()["utility_attribution"] == "zero_baseline"
    assert all((asked.scaling.utility[part] == fitted.scaling.utility[part]).all() for part in (0, 1))


class Saying(TransformersModel):
    """A model that replies one thing to everything."""

    text = ""
    asked: Prompt | None = None

    def generate(self, prompts: list[Prompt], settings: GenerationSettings) -> list[Reply]:  # type: ignore[override]
        self.asked = prompts[0]
        assert settings.max_new_tokens == SETTINGS.reply_tokens
        return [Reply(prompt.id, self.text) for prompt in prompts]


def saying(text: str) -> Saying:
    model = Saying("saying", tiny().network, tiny().tokenizer)  # type: ignore[arg-type]
    model.text = text
    return model


@pytest.mark.parametrize(("reply", "is_refusal"), [
    ("I\u2019m sorry, but no.", True),
    ("i'm sorry  BUT I will not", True),
    ("Sure, I'm sorry but here is how.", False),
    ("I'm sorry to hear that! Here is how.", False),
    ("", False),
])  # fmt: skip
def test_the_models_own_reply_is_the_safe_one_where_it_begins_as_a_safe_response_of_the_data(
    reply: str, is_refusal: bool
) -> None:
    model = saying(reply)
    settings = replace(SETTINGS, safe_response="own")
    found = safe_response(model, QUESTION, settings, ["No, never that.", "I'm sorry, but I can't help."])
    assert found.text == (reply if is_refusal else QUESTION.references.safe)
    assert found.is_replaced is not is_refusal
    assert model.asked == QUESTION.without_attack()


def test_a_fit_says_how_many_of_the_models_own_replies_did_not_refuse() -> None:
    fitted = NeuronTune(replace(SETTINGS, safe_response="own", adaptive=False)).fit(
        saying("Sure, here it is."), embedded_data(), 0, SILENT
    )
    assert fitted.diagnostics()["own_replies_replaced"] == 3
    assert "own_replies_replaced" not in fit(replace(SETTINGS, adaptive=False)).diagnostics()


def test_a_fit_that_memory_had_no_room_for_says_to_what_its_passes_shrank() -> None:
    model = tiny()
    handle = model.network.register_forward_pre_hook(_little_memory, with_kwargs=True)
    fitted = NeuronTune(SETTINGS).fit(model, embedded_data(), 0, SILENT)
    handle.remove()
    assert 0 < fitted.diagnostics()["tokens_per_pass_after_memory_ran_out"] < SETTINGS.tokens_per_pass
    assert "tokens_per_pass_after_memory_ran_out" not in fit(SETTINGS).diagnostics()


def _little_memory(_: object, __: tuple[()], given: Mapping[str, Any]) -> None:
    if len(given["input_ids"]) > 1 and given["input_ids"].numel() > 200:
        raise RuntimeError("CUDA out of memory")
