import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.base import AlignmentData, Intent, Prompt, Split
from benchmarks.embedded import replies
from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.conformance.families import FAMILIES, LAYERS, tiny
from harness.embedded.tokenizer import build
from harness.registry import engine
from methods.base import ChatModel, GenerationSettings
from methods.cavgan.answering import with_instruction
from methods.cavgan.method import Cavgan, FittedCavgan, candidate_layers
from methods.cavgan.questions import draw_questions, shares_by_source
from methods.cavgan.settings import INSTRUCTION, CavganSettings
from tests.methods.tiny_models import embedded_data

SETTINGS = CavganSettings(questions=8, epochs=3, site="first_generated")
GENERATION = GenerationSettings(max_new_tokens=4)


class Told(list[tuple[str, int, int]]):
    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append((stage, done, total))


def fit(settings: CavganSettings = SETTINGS, model: ChatModel | None = None, seed: int = 0) -> FittedCavgan:
    fitted = Cavgan(settings).fit(model or tiny(), embedded_data(), seed, Told())
    assert isinstance(fitted, FittedCavgan)
    return fitted


def probabilities(fitted: FittedCavgan, model: ChatModel) -> list[float]:
    return fitted.detector.probabilities(model, embedded_data().dev[::40])


@pytest.fixture(scope="module")
def fitted() -> FittedCavgan:
    return fit()


@pytest.fixture(scope="module")
def embedded() -> ChatModel:
    return engine("transformers").load(ModelSpec("embedded"))


@pytest.fixture(scope="module")
def fitted_embedded(embedded: ChatModel) -> FittedCavgan:
    return fit(CavganSettings(questions=40, site="last_prompt_token"), embedded)


def test_what_is_saved_and_loaded_gives_the_same_probabilities(fitted: FittedCavgan, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loaded = Cavgan.load(tmp_path)
    assert isinstance(loaded, FittedCavgan)
    assert probabilities(loaded, tiny()) == probabilities(fitted, tiny())
    assert (loaded.threshold, loaded.instruction) == (fitted.threshold, fitted.instruction)
    assert (loaded.detector.layer, loaded.detector.site) == (fitted.detector.layer, fitted.detector.site)
    assert (loaded.cost, loaded.diagnostics()) == (fitted.cost, fitted.diagnostics())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artefact.json", "tensors.safetensors"]


def test_the_same_seed_gives_the_same_detector_and_another_seed_another(fitted: FittedCavgan) -> None:
    again, other = fit(), fit(seed=1)
    assert probabilities(again, tiny()) == probabilities(fitted, tiny())
    assert again.diagnostics() == fitted.diagnostics()
    assert probabilities(other, tiny()) != probabilities(fitted, tiny())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_fitted_served_and_left_as_it_was(family: str) -> None:
    model, untouched = tiny(family), tiny(family).network.state_dict()
    fitted = fit(model=model)
    with fitted.applied(model) as protected:
        found = protected.generate(embedded_data().dev[:3], GENERATION)
    assert all(isinstance(reply.action["flagged"], bool) for reply in found)
    assert all(torch.equal(tensor, untouched[name]) for name, tensor in model.network.state_dict().items())
    modules = list(model.network.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_neutral_settings_change_no_reply() -> None:
    model, asked = tiny(), embedded_data().dev[::40]
    neutral = fit(replace(SETTINGS, **Cavgan.neutral))
    with neutral.applied(model) as protected:
        found = protected.generate(asked, GENERATION)
    plain = model.generate(asked, GENERATION)
    assert [reply.token_ids for reply in found] == [reply.token_ids for reply in plain]


def test_layers_between_four_and_nine_tenths_of_the_depth_are_tried() -> None:
    assert {depth: candidate_layers(depth) for depth in (1, 2, 3, 6, 10)} == {
        1: [1],
        2: [1],
        3: [2],
        6: [3, 4, 5],
        10: [4, 5, 6, 7, 8, 9],
    }
    assert (candidate_layers(32)[0], candidate_layers(32)[-1]) == (13, 28)


def test_the_layer_that_ranks_best_is_taken_and_of_equals_the_one_with_the_widest_margin(
    fitted_embedded: FittedCavgan,
) -> None:
    facts = fitted_embedded.diagnostics()
    areas, margins = facts["area_under_curve_by_layer"], facts["margin_by_layer"]
    assert list(areas) == list(margins) == ["3", "4", "5"]
    assert facts["layer"] == int(max(areas, key=lambda layer: (areas[layer], margins[layer])))


def test_flagged_shares_are_told_by_source() -> None:
    facts = fit(replace(SETTINGS, threshold=0.0, threshold_rule="fixed")).diagnostics()
    source = embedded_data().dev[0].source
    assert facts["flagged_share_of_malicious_dev_questions"] == {source: 1.0}
    assert facts["flagged_share_of_benign_dev_questions"] == {source: 1.0}
    marks = [True, False, False, False, True]
    two = [replace(prompt, source=name) for prompt, name in zip(embedded_data().dev, "ABABA", strict=False)]
    assert shares_by_source(two, marks) == {"A": 0.6667, "B": 0.0}


def two_sources() -> AlignmentData:
    """The embedded data, whose benign train questions are of three sources: of one there are but two."""
    data = embedded_data()
    names = ["rare"] * 2 + ["A", "B"] * len(data.train)
    relabelled = (replace(prompt, source=name) for prompt, name in zip(data.benign(), names, strict=False))
    return AlignmentData("two", (*data.harmful(), *relabelled), data.dev)


def test_questions_are_drawn_evenly_over_their_sources() -> None:
    found = draw_questions(two_sources(), replace(SETTINGS, questions=20), random.Random(0)).train_benign
    assert Counter(prompt.source for prompt in found) == {"rare": 2, "A": 9, "B": 9}
    assert len({prompt.id for prompt in found}) == 20


def test_benign_sources_are_held_out_in_turn_where_there_are_several(fitted: FittedCavgan) -> None:
    assert fitted.diagnostics()["benign_sources_held_out_in_turn"] == []
    found = Cavgan(SETTINGS).fit(tiny(), two_sources(), 0, Told()).diagnostics()
    assert sorted(found["benign_sources_held_out_in_turn"]) == ["A", "B", "rare"]


def test_the_control_with_shuffled_labels_reads_the_same_questions_and_detects_nothing(
    embedded: ChatModel, fitted_embedded: FittedCavgan
) -> None:
    given = CavganSettings(questions=40, site="last_prompt_token", labels="shuffled_labels")
    control = fit(given, embedded)
    assert control.cost.stages == fitted_embedded.cost.stages
    assert max(control.diagnostics()["margin_by_layer"].values()) < 2
    assert min(fitted_embedded.diagnostics()["margin_by_layer"].values()) > 3


def test_a_fixed_layer_is_the_only_one_tried() -> None:
    fitted = fit(replace(SETTINGS, layer=LAYERS))
    assert fitted.detector.layer == LAYERS
    assert list(fitted.diagnostics()["area_under_curve_by_layer"]) == [str(LAYERS)]


def test_a_fixed_threshold_is_kept_and_one_from_dev_is_not() -> None:
    fixed = fit(replace(SETTINGS, threshold=0.7, threshold_rule="fixed"))
    assert fixed.threshold == 0.7
    assert fit(replace(SETTINGS, threshold=0.7)).threshold != 0.7


def test_cost_counts_every_question_and_what_a_reply_takes_more() -> None:
    questions = 4 * SETTINGS.questions
    cheap = fit(replace(SETTINGS, site="last_prompt_token"))
    assert cheap.cost.forward_equivalents == questions
    assert cheap.cost.extra_passes_per_reply == 1
    usual = fit(replace(SETTINGS, threshold=0.0, threshold_rule="fixed"))
    assert questions < usual.cost.forward_equivalents < 1.2 * questions
    assert 1 < usual.cost.extra_passes_per_reply < 1.2
    model, drawn = tiny(), draw_questions(embedded_data(), SETTINGS, random.Random(0))
    added = [
        len(model.encode(with_instruction(prompt, INSTRUCTION)).ids) - len(model.encode(prompt).ids)
        for prompt in (*drawn.dev_malicious, *drawn.dev_benign)
    ]
    assert usual.cost.extra_tokens_per_reply == pytest.approx(sum(added) / len(added))
    assert fit(replace(SETTINGS, **Cavgan.neutral)).cost.extra_tokens_per_reply == 0


def test_progress_is_told_to_the_end_of_both_stages() -> None:
    told = Told()
    Cavgan(SETTINGS).fit(tiny(), embedded_data(), 0, told)
    assert {stage: (done, total) for stage, done, total in told} == {
        "reading states": (4, 4),
        "training detectors": (1, 1),
    }


def test_a_layer_beyond_the_models_depth_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        Cavgan(replace(SETTINGS, layer=9)).check(tiny(), embedded_data())
    assert str(caught.value) == (
        "Setting 'layer' of 'cavgan' is 9, but 'tiny-llama' has 3 blocks. "
        "Give a number up to that, or 0 to choose on dev prompts."
    )


def only(split: Split, intent: Intent, *, attacked: bool | None = None) -> AlignmentData:
    """The embedded data, with prompts of that intent (and kind) alone in that split."""

    def kept(prompts: Sequence[Prompt], here: Split) -> tuple[Prompt, ...]:
        return tuple(
            prompt
            for prompt in prompts
            if here is not split or (prompt.intent is intent and attacked in (None, prompt.attack is not None))
        )

    data = embedded_data()
    return AlignmentData("odd", kept(data.train, Split.TRAIN), kept(data.dev, Split.DEV))


@pytest.mark.parametrize(
    ("split", "intent", "missing"),
    [
        (Split.TRAIN, Intent.BENIGN, "harmful train prompts"),
        (Split.TRAIN, Intent.HARMFUL, "benign train prompts"),
        (Split.DEV, Intent.BENIGN, "harmful dev prompts"),
        (Split.DEV, Intent.HARMFUL, "benign dev prompts"),
    ],
)
def test_data_without_a_class_of_questions_is_refused(split: Split, intent: Intent, missing: str) -> None:
    with pytest.raises(UserError) as caught:
        Cavgan(SETTINGS).check(tiny(), only(split, intent))
    assert str(caught.value) == f"CAVGAN needs {missing}; alignment data 'odd' has none."


def test_data_without_attacks_is_refused_where_attacked_questions_are_asked_for() -> None:
    plain = AlignmentData(
        "plain",
        tuple(prompt for prompt in embedded_data().train if not prompt.attack),
        tuple(prompt for prompt in embedded_data().dev if not prompt.attack),
    )
    Cavgan(SETTINGS).check(tiny(), plain)
    with pytest.raises(UserError) as caught:
        Cavgan(replace(SETTINGS, question_kind="attacked")).check(tiny(), plain)
    assert str(caught.value) == "CAVGAN needs attacked harmful train prompts; alignment data 'plain' has none."


@pytest.mark.parametrize(("kind", "attacked"), [("mixed", 10), ("attacked", 20), ("plain", 0)])
def test_questions_are_of_the_asked_kind_in_every_group(kind: str, attacked: int) -> None:
    settings = replace(SETTINGS, questions=20, question_kind=kind)
    for group, (intent, split) in zip(
        draw_questions(embedded_data(), settings, random.Random(0)),
        [(intent, split) for split in (Split.TRAIN, Split.DEV) for intent in (Intent.HARMFUL, Intent.BENIGN)],
        strict=True,
    ):
        assert len({prompt.id for prompt in group}) == 20
        assert Counter(prompt.attack is not None for prompt in group)[True] == attacked
        assert {(prompt.intent, prompt.split) for prompt in group} == {(intent, split)}


def test_plain_questions_are_made_of_attacked_ones_where_there_are_no_others() -> None:
    data = only(Split.TRAIN, Intent.HARMFUL, attacked=True)
    found = draw_questions(data, replace(SETTINGS, questions=10), random.Random(0)).train_malicious
    assert sum(prompt.attack is None for prompt in found) == 5
    assert all(prompt.messages[-1].content == prompt.plain for prompt in found if prompt.attack is None)


def test_benign_questions_are_all_plain_where_none_is_attacked() -> None:
    data = only(Split.DEV, Intent.BENIGN, attacked=False)
    found = draw_questions(data, replace(SETTINGS, questions=10), random.Random(0)).dev_benign
    assert [prompt.attack for prompt in found] == [None] * 10


def test_fewer_questions_than_asked_for_are_all_taken() -> None:
    found = draw_questions(embedded_data(), replace(SETTINGS, questions=10_000), random.Random(0))
    assert [len(group) for group in found] == [300, 300, 120, 120]


def test_the_instruction_is_made_of_words_that_the_embedded_model_knows() -> None:
    assert not [token for token in build().tokenize(INSTRUCTION) if token.startswith("<0x")]


def test_the_embedded_model_refuses_whatever_the_instruction_stands_before(embedded: ChatModel) -> None:
    asked = [with_instruction(prompt, INSTRUCTION) for prompt in embedded_data().dev[::30]]
    found = embedded.generate(asked, GenerationSettings(max_new_tokens=48))
    assert {replies.read(reply.text) for reply in found} == {replies.Reading.REFUSED}


def test_the_detector_finds_malice_under_attacks_in_the_embedded_model(
    embedded: ChatModel, fitted_embedded: FittedCavgan
) -> None:
    dev = [prompt for prompt in embedded_data().dev if prompt.attack][::5]
    found = fitted_embedded.detector.probabilities(embedded, dev)
    right = [
        (probability > fitted_embedded.threshold) == (prompt.intent is Intent.HARMFUL)
        for probability, prompt in zip(found, dev, strict=True)
    ]
    assert sum(right) >= 0.9 * len(dev)
