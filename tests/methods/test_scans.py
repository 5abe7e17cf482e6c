import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.base import AlignmentData, Message, Prompt
from benchmarks.errors import UserError
from harness.conformance.families import FAMILIES
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from methods.scans.anchors import Anchors, draw_anchors
from methods.scans.classification import choose_threshold
from methods.scans.method import FittedScans, Scans
from methods.scans.settings import ScansSettings
from methods.scans.vectors import random_vectors, read_landmarks
from tests.methods import literal_scans
from tests.methods.tiny_models import LAYERS, embedded_data, tiny

SETTINGS = ScansSettings(anchors=6, layers="0-1")
SHORT = GenerationSettings(max_new_tokens=4)


def some(prompts: Sequence[Prompt], count: int) -> tuple[Prompt, ...]:
    """So many of each of the four kinds."""
    kinds = {(prompt.intent, prompt.attack is None) for prompt in prompts}
    chosen = [[one for one in prompts if (one.intent, one.attack is None) == kind] for kind in sorted(kinds)]
    return tuple(prompt for found in chosen for prompt in found[:count])


DATA = AlignmentData("small", some(embedded_data().train, 20), some(embedded_data().dev, 4))


class Told(list[tuple[str, int, int]]):
    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append((stage, done, total))


def fit(settings: ScansSettings = SETTINGS, seed: int = 0, model: TransformersModel | None = None) -> FittedScans:
    fitted = Scans(settings).fit(model or tiny(), DATA, seed, Told())
    assert isinstance(fitted, FittedScans)
    return fitted


def anchors(settings: ScansSettings = SETTINGS, seed: int = 0, data: AlignmentData = DATA) -> Anchors:
    return draw_anchors(data, settings, random.Random(seed))


def refusal_of(settings: ScansSettings, data: AlignmentData) -> str:
    with pytest.raises(UserError) as caught:
        Scans(settings).check(tiny(), data)
    return str(caught.value)


def all_states(model: TransformersModel, prompts: Sequence[Prompt], layer: int) -> list[Tensor]:
    return [literal_scans.states(model, model.encode(prompt).ids)[layer][-1] for prompt in prompts]


@pytest.mark.parametrize("family", FAMILIES)
def test_relative_strength_adds_alpha_times_the_median_norm_along_the_difference_of_means(family: str) -> None:
    model = tiny(family)
    harmful, benign = anchors()
    vectors = fit(replace(SETTINGS, strength="relative", alpha=0.2), model=model).steering.vectors
    assert list(vectors) == [0, 1]
    for layer, vector in vectors.items():
        norms = sorted(float(state.square().sum().sqrt()) for state in all_states(model, [*harmful, *benign], layer))
        median = (norms[5] + norms[6]) / 2
        literal = 0.2 * median * literal_scans.refusal_vector(model, harmful, benign, layer)
        torch.testing.assert_close(vector, literal, atol=1e-4 * median, rtol=1e-3)


@pytest.mark.parametrize("layers", ["0-1", "0-2", "1-1"])
def test_what_is_added_is_the_difference_of_means_shared_out_over_the_steered_blocks(layers: str) -> None:
    model = tiny()
    harmful, benign = anchors()
    vectors = fit(replace(SETTINGS, layers=layers, alpha=1.5), model=model).steering.vectors
    assert list(vectors) == list(range(int(layers[0]), int(layers[-1]) + 1))
    for layer, vector in vectors.items():
        means = [literal_scans.mean(all_states(model, prompts, layer)) for prompts in (harmful, benign)]
        torch.testing.assert_close(vector, 1.5 * (means[0] - means[1]) / len(vectors), atol=1e-4, rtol=1e-3)


def test_by_default_all_blocks_together_move_as_far_as_the_anchors_lie_apart() -> None:
    assert (ScansSettings().strength, ScansSettings().alpha) == ("separation", 1.0)


def test_absolute_strength_adds_vectors_of_length_alpha() -> None:
    vectors = fit(replace(SETTINGS, strength="absolute", alpha=3.5)).steering.vectors
    for layer, vector in vectors.items():
        literal = 3.5 * literal_scans.refusal_vector(tiny(), *anchors(), layer)
        torch.testing.assert_close(vector, literal, atol=1e-3, rtol=1e-3)


def test_random_directions_have_the_norms_of_the_differences() -> None:
    found, control = fit().steering, fit(replace(SETTINGS, direction="random")).steering
    for layer in (0, 1):
        one, other = found.vectors[layer], control.vectors[layer]
        assert float(other.norm()) == pytest.approx(float(one.norm()), rel=1e-5)
        assert abs(float(torch.cosine_similarity(one, other, dim=0))) < 0.7
    assert torch.equal(found.classifier.reference, control.classifier.reference)
    assert found.threshold == control.threshold
    assert torch.equal(random_vectors(3, 32, seed=5), random_vectors(3, 32, seed=5))
    assert not torch.equal(random_vectors(3, 32, seed=5), random_vectors(3, 32, seed=6))


def test_shuffled_labels_steer_between_means_drawn_by_lot_and_classify_as_true_labels_do() -> None:
    model, found, control = tiny(), fit().steering, fit(replace(SETTINGS, direction="shuffled_labels")).steering
    pooled = [prompt for side in anchors() for prompt in side]
    lot = torch.randperm(12, generator=torch.Generator().manual_seed(0)).tolist()
    first, second = ([pooled[place] for place in part] for part in (lot[:6], lot[6:]))
    for layer in (0, 1):
        literal = found.vectors[layer].norm() * literal_scans.refusal_vector(model, first, second, layer)
        torch.testing.assert_close(control.vectors[layer], literal, atol=1e-4, rtol=1e-3)
    assert torch.equal(found.classifier.reference, control.classifier.reference)
    assert found.threshold == control.threshold


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_is_the_harmful_anchors_mean_transition_from_the_first_steered_layer_up(family: str) -> None:
    model = tiny(family)
    classifier = fit(replace(SETTINGS, layers="1-1", transition="user_end"), model=model).steering.classifier
    literal = [
        literal_scans.mean([literal_scans.transition(model, prompt, "user_end", layer) for prompt in anchors().harmful])
        for layer in (1, 2)
    ]
    torch.testing.assert_close(classifier.reference, torch.stack(literal), atol=1e-3, rtol=1e-3)


def test_the_threshold_is_chosen_on_dev_prompts_alone() -> None:
    model, fitted = tiny(), fit()
    similarities = [
        literal_scans.similarity(model, prompt, anchors().harmful, "last_prompt_token", first_layer=0)
        for prompt in DATA.dev
    ]
    is_harmful = torch.tensor([prompt.intent == "harmful" for prompt in DATA.dev])
    chosen = choose_threshold(torch.tensor(similarities), is_harmful)
    assert fitted.steering.threshold == pytest.approx(chosen, abs=1e-5)
    unsafe = torch.tensor(similarities) >= chosen
    called = [int(unsafe[is_harmful].sum()), int(unsafe[~is_harmful].sum())]
    assert fitted.facts["dev_balanced_accuracy"] == pytest.approx((called[0] / 8 + (8 - called[1]) / 8) / 2)
    assert fitted.facts["dev_balanced_accuracy"] > 0.5


def test_a_fixed_threshold_is_taken_and_measured() -> None:
    fitted = fit(replace(SETTINGS, threshold_rule="fixed", threshold=-1.0))
    assert fitted.steering.threshold == -1.0
    assert fitted.facts["dev_balanced_accuracy"] == 0.5
    assert set(fitted.facts["dev_called_unsafe"].values()) == {1.0}


@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_strength_zero_answers_as_the_default_does(family: str) -> None:
    model = tiny(family)
    prompts = [DATA.dev[0], DATA.dev[9]]
    default = model.generate(prompts, SHORT)
    with fit(replace(SETTINGS, **Scans.neutral), model=model).applied(model) as protected:
        replies = protected.generate(prompts, SHORT)
    assert [reply.token_ids for reply in replies] == [reply.token_ids for reply in default]


def test_the_same_seed_gives_the_same_vectors_and_another_seed_others() -> None:
    first, again, other = fit(), fit(), fit(seed=1)
    assert torch.equal(first.steering.vectors[0], again.steering.vectors[0])
    assert first.facts == again.facts
    assert not torch.equal(first.steering.vectors[0], other.steering.vectors[0])


def test_what_is_saved_and_loaded_answers_alike(tmp_path: Path) -> None:
    model, fitted = tiny(), fit(replace(SETTINGS, alpha=1.0, negative_steering=False, transition="user_end"))
    fitted.save(tmp_path)
    loaded = Scans.load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artefact.json", "tensors.safetensors"]
    assert isinstance(loaded, FittedScans)
    assert (loaded.cost, loaded.diagnostics()) == (fitted.cost, fitted.diagnostics())
    assert (loaded.steering.threshold, loaded.steering.safe_sign) == (fitted.steering.threshold, 0)
    assert loaded.steering.classifier.start == "user_end"
    replies = []
    for arm in (fitted, loaded):
        with arm.applied(model) as protected:
            replies.append([replace(reply, seconds=0) for reply in protected.generate(DATA.dev, SHORT)])
    assert replies[0] == replies[1]
    (tmp_path / "again").mkdir()
    loaded.save(tmp_path / "again")
    for name in ("artefact.json", "tensors.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_fitting_and_serving_leave_the_model_as_it_was() -> None:
    model, before = tiny(), tiny().network.state_dict()
    with fit(model=model).applied(model) as protected:
        protected.generate(DATA.dev[:2], SHORT)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.network.modules())


def test_the_cost_is_a_pass_for_every_anchor_and_every_dev_prompt_and_one_for_every_reply() -> None:
    cost = fit().cost
    assert (cost.stages, cost.forward_equivalents) == ({"anchors": 12.0, "dev": 16.0}, 28.0)
    assert (cost.extra_passes_per_reply, cost.extra_tokens_per_reply) == (1.0, 0.0)


def test_progress_is_told_by_stage() -> None:
    told = Told()
    Scans(SETTINGS).fit(tiny(), DATA, 0, told)
    assert told == [
        ("reading anchors", 0, 12),
        ("reading anchors", 12, 12),
        ("classifying dev prompts", 0, 16),
        ("classifying dev prompts", 16, 16),
    ]


def test_diagnostics_tell_where_how_strongly_and_how_well() -> None:
    fitted = fit()
    facts = json.loads(json.dumps(fitted.diagnostics()))
    assert facts["layers"] == [0, 1]
    assert facts["layer_rule"] == "given"
    assert facts["step_by_layer"] == pytest.approx(
        [float(vector.norm()) for vector in fitted.steering.vectors.values()], abs=1e-3
    )
    assert sorted(facts["dev_called_unsafe"]) == [
        "attacked benign", "attacked harmful", "plain benign", "plain harmful"
    ]  # fmt: skip
    assert facts["harmful_similarity_quantiles"] == sorted(facts["harmful_similarity_quantiles"])
    assert len(facts["benign_similarity_quantiles"]) == 5


def test_the_last_turn_of_a_conversation_is_what_is_read() -> None:
    model = tiny()
    first = DATA.dev[0]
    turns = (
        Message("system", "Be kind."),
        *first.messages,
        Message("assistant", "Sure."),
        Message("user", "And then?"),
    )
    talk = replace(first, messages=turns)
    ids = model.encode(talk).ids
    read = read_landmarks(model, [talk], "user_end")
    states = literal_scans.states(model, literal_scans.with_sure(model, talk))[LAYERS - 1]
    torch.testing.assert_close(read.last[0, -1], states[len(ids) - 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(read.transition[0, -1], states[len(ids) - 2] - states[-1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("kind", "attacked"), [("plain", 0), ("attacked", 7), ("mixed", 3)])
def test_anchors_of_both_intents_hold_as_many_attacks(kind: str, attacked: int) -> None:
    drawn = anchors(ScansSettings(anchors=7, anchor_kind=kind))
    for prompts, intent in ((drawn.harmful, "harmful"), (drawn.benign, "benign")):
        assert len({prompt.id for prompt in prompts}) == 7
        assert {(prompt.intent, prompt.split) for prompt in prompts} == {(intent, "train")}
        assert sum(prompt.attack is not None for prompt in prompts) == attacked


def test_mixed_anchors_are_plain_where_benign_prompts_have_no_attacks() -> None:
    train = [prompt for prompt in DATA.train if prompt.intent == "harmful" or not prompt.attack]
    drawn = anchors(ScansSettings(anchors=8), data=AlignmentData("unattacked", tuple(train), DATA.dev))
    assert not any(prompt.attack for prompt in (*drawn.harmful, *drawn.benign))


def test_a_question_under_several_attacks_is_one_plain_anchor() -> None:
    asked = [prompt for prompt in DATA.train if prompt.attack]
    disguised = [replace(prompt, id=f"{prompt.id}/{number}") for prompt in asked for number in range(3)]
    drawn = anchors(ScansSettings(anchors=20, anchor_kind="plain"), data=AlignmentData("x", tuple(disguised), DATA.dev))
    assert Counter(len({prompt.plain for prompt in prompts}) for prompts in drawn) == {20: 2}
    assert {prompt.messages for prompt in drawn.harmful} <= {(Message("user", prompt.plain),) for prompt in asked}


def test_too_few_anchors_are_refused() -> None:
    assert refusal_of(ScansSettings(anchors=64), DATA) == (
        "'scans' learns from 44 plain harmful train prompts; alignment data 'small' has 40. "
        "Set 'anchors' (now 64) lower."
    )
    assert refusal_of(ScansSettings(anchors=64, anchor_kind="attacked"), DATA) == (
        "'scans' learns from 64 attacked harmful train prompts; alignment data 'small' has 20. "
        "Set 'anchors' (now 64) lower, or 'anchor_kind' to 'plain'."
    )


@pytest.mark.parametrize("intent", ["harmful", "benign"])
def test_dev_prompts_of_one_intent_alone_choose_no_threshold(intent: str) -> None:
    data = AlignmentData("one-sided", DATA.train, tuple(prompt for prompt in DATA.dev if prompt.intent != intent))
    assert refusal_of(SETTINGS, data) == (
        "'scans' learns to tell harmful from benign on dev prompts; alignment data 'one-sided' has no "
        f"{intent} one. Use data that has, or set 'threshold_rule' to 'fixed'."
    )


@pytest.mark.parametrize(("intents", "known"), [
    (("harmful", "benign"), {"dev_balanced_accuracy", "harmful_similarity_quantiles", "benign_similarity_quantiles"}),
    (("harmful",), {"harmful_similarity_quantiles"}),
    ((), set()),
])  # fmt: skip
def test_a_fixed_threshold_needs_no_dev_prompts_and_is_measured_on_those_there_are(
    intents: tuple[str, ...], known: set[str]
) -> None:
    method = Scans(replace(SETTINGS, threshold_rule="fixed", threshold=0.5))
    data = AlignmentData("few", DATA.train, tuple(prompt for prompt in DATA.dev if prompt.intent in intents))
    method.check(tiny(), data)
    fitted = method.fit(tiny(), data, 0, Told())
    assert isinstance(fitted, FittedScans)
    assert fitted.steering.threshold == 0.5
    always = {"layers", "layer_rule", "step_by_layer", "threshold", "dev_called_unsafe"}
    assert set(fitted.facts) == always | known
    assert len(fitted.facts["dev_called_unsafe"]) == 2 * len(intents)


def test_layers_beyond_the_model_are_refused() -> None:
    assert refusal_of(ScansSettings(layers="10-19"), DATA) == (
        "Setting 'layers' of 'scans' is '10-19'; it must be 'depth', 'auto' or a range within 0-2."
    )


def test_the_settings_as_published_can_be_had() -> None:
    published: dict[str, Any] = {
        "strength": "absolute",
        "alpha": 3.5,
        "anchor_kind": "plain",
        "threshold_rule": "fixed",
        "threshold": 0.75,
    }
    fitted = fit(replace(SETTINGS, **published))
    assert fitted.steering.threshold == 0.75
    assert {round(float(vector.norm()), 4) for vector in fitted.steering.vectors.values()} == {3.5}
