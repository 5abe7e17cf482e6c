import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.base import AlignmentData, Attack, Prompt, References, Split
from benchmarks.errors import UserError
from benchmarks.registry import load_benchmark
from harness.transformers_model import TransformersModel
from methods.base import Fitted, Foldable
from methods.neurontune.cases import attribute_benign, attribute_harmful
from methods.neurontune.method import FittedNeuronTune, NeuronTune
from methods.neurontune.samples import safety_samples, utility_samples
from methods.neurontune.settings import NeuronTuneSettings
from methods.passes import Passes
from tests.methods.tiny_models import LAYERS, NEURONS, attacked_and_plain, embedded_data, tiny

SETTINGS = NeuronTuneSettings(
    safety_neurons=6,
    utility_neurons=9,
    path_steps=3,
    utility_samples=2,
    epochs=2,
    inner_steps=1,
    batch_size=2,
    local_samples=2,
    global_samples=4,
    validation_samples=2,
)
SAMPLES = 3 + 2


class Told(list[tuple[str, int, int]]):
    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append((stage, done, total))


def fit(settings: NeuronTuneSettings = SETTINGS, seed: int = 0, family: str = "llama") -> FittedNeuronTune:
    fitted = NeuronTune(settings).fit(tiny(family), embedded_data(), seed, Told())
    assert isinstance(fitted, FittedNeuronTune)
    return fitted


def refusal_of(settings: NeuronTuneSettings, data: AlignmentData | None = None) -> str:
    with pytest.raises(UserError) as caught:
        NeuronTune(settings).check(tiny(), data or embedded_data())
    return str(caught.value)


def artefact(fitted: Fitted, folder: Path) -> bytes:
    folder.mkdir()
    fitted.save(folder)
    return (folder / "tensors.safetensors").read_bytes()


@torch.no_grad()
def logits_under(fitted: Fitted, model: TransformersModel) -> Tensor:
    pair, _ = attacked_and_plain(model)
    with fitted.applied(model) as protected:
        logits: Tensor = protected.network(input_ids=torch.tensor([pair.prompt])).logits
    return logits


@pytest.fixture(scope="module")
def fitted() -> FittedNeuronTune:
    return fit()


def chosen(fitted: FittedNeuronTune) -> list[list[int]]:
    return [
        (neurons.block * NEURONS + neurons.place).tolist()
        for neurons in (fitted.scaling.safety, fitted.scaling.utility)
    ]


def test_the_same_seed_gives_the_same_bytes(fitted: FittedNeuronTune, tmp_path: Path) -> None:
    assert artefact(fit(), tmp_path / "again") == artefact(fitted, tmp_path / "first")


def test_another_seed_chooses_other_neurons(fitted: FittedNeuronTune) -> None:
    assert chosen(fit(seed=1)) != chosen(fitted)


def test_fitting_leaves_the_model_as_it_was() -> None:
    model, untouched = tiny(), tiny()
    NeuronTune(SETTINGS).fit(model, embedded_data(), 0, Told())
    before = untouched.network.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.network.modules())


def test_what_is_saved_and_loaded_gives_the_same_logits(fitted: FittedNeuronTune, tmp_path: Path) -> None:
    model = tiny()
    fitted.save(tmp_path)
    loaded = NeuronTune.load(tmp_path)
    assert torch.equal(logits_under(loaded, model), logits_under(fitted, model))
    assert (loaded.cost, loaded.diagnostics()) == (fitted.cost, fitted.diagnostics())


def test_the_artefact_is_safetensors_and_json_alone(fitted: FittedNeuronTune, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artefact.json", "tensors.safetensors"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_folded_arm_is_the_hooked_arm(family: str) -> None:
    model = tiny(family)
    fitted = fit(family=family)
    assert isinstance(fitted, Foldable)
    hooked = logits_under(fitted, model)
    model.network.load_state_dict(fitted.fold(model.network.state_dict(), model.blocks), strict=False)
    pair, _ = attacked_and_plain(model)
    with torch.no_grad():
        assert (model.network(input_ids=torch.tensor([pair.prompt])).logits - hooked).abs().max() <= 1e-5


def test_the_sets_have_their_sizes_and_share_no_neuron(fitted: FittedNeuronTune) -> None:
    safety, utility = chosen(fitted)
    assert (len(set(safety)), len(set(utility))) == (6, 9)
    assert not set(safety) & set(utility)


def test_counts_below_one_are_shares_of_all_neurons() -> None:
    found = fit(replace(SETTINGS, safety_neurons=0.05, utility_neurons=0.1, adaptive=False))
    assert [len(neurons) for neurons in chosen(found)] == [
        round(0.05 * LAYERS * NEURONS),
        round(0.1 * LAYERS * NEURONS),
    ]


def test_without_pinpointing_neurons_are_random_and_nothing_is_attributed() -> None:
    found = fit(replace(SETTINGS, pinpointing="random"))
    assert [len(set(neurons)) for neurons in chosen(found)] == [6, 9]
    assert "attribution" not in found.cost.stages
    assert chosen(found) == chosen(fit(replace(SETTINGS, pinpointing="random", adaptive=False)))
    assert chosen(found) != chosen(fit(replace(SETTINGS, pinpointing="random"), seed=1))


def test_with_shuffled_labels_the_same_samples_are_attributed_and_dealt_out_by_lot() -> None:
    settings = replace(SETTINGS, pinpointing="shuffled_labels", overlap="drop", refill=False, adaptive=False)
    model, passes = tiny(), Passes(settings.tokens_per_pass)
    harmful = safety_samples(embedded_data(), settings, 0)
    benign, way = utility_samples(embedded_data(), settings, 0)
    scores = [
        attribute_harmful(model, prompt, prompt.references.safe or "", settings, passes).scores for prompt in harmful
    ]
    scores += [attribute_benign(model, prompt, way, settings, passes).scores for prompt in benign]
    lot = list(range(SAMPLES))
    random.Random("shuffled labels 0").shuffle(lot)
    tops = []
    for part, count in ((lot[:3], 6), (lot[3:], 9)):
        mean = sum(scores[place] / scores[place].abs().max() for place in part) / len(part)
        tops.append(set(torch.as_tensor(mean).flatten().topk(count).indices.tolist()))
    found = fit(settings)
    assert [set(neurons) for neurons in chosen(found)] == [tops[0] - tops[1], tops[1] - tops[0]]
    assert chosen(found) != chosen(fit(replace(settings, pinpointing="attribution")))


def test_a_control_with_shuffled_labels_is_tuned_on_the_prompts_that_true_labels_would_have() -> None:
    everything = replace(SETTINGS, safety_neurons=144, utility_neurons=144, overlap="both")
    found, control = fit(everything), fit(replace(everything, pinpointing="shuffled_labels"))
    assert chosen(found) != chosen(control)  # in another order
    assert control.diagnostics()["validation_loss"] == pytest.approx(found.diagnostics()["validation_loss"], abs=2e-5)


def test_without_adaptation_factors_stay_at_the_start(fitted: FittedNeuronTune) -> None:
    found = fit(replace(SETTINGS, adaptive=False))
    assert found.scaling.safety_factors.tolist() == pytest.approx([1.2] * 6)
    assert found.scaling.utility_factors.tolist() == pytest.approx([0.8] * 9)
    assert list(found.cost.stages) == ["attribution"]
    assert chosen(found) == chosen(fitted)


@pytest.mark.parametrize("selection", ["random", "plain"])
def test_without_attack_selection_other_neurons_are_found(fitted: FittedNeuronTune, selection: str) -> None:
    assert chosen(fit(replace(SETTINGS, attack_selection=selection))) != chosen(fitted)


@pytest.mark.parametrize("changes", [
    {"utility_attribution": "gradient_times_activation"},
    {"utility_attribution": "zero_baseline"},
    {"safety_loss": "margin"},
    {"utility_loss": "kl_to_unmodified"},
    {"meta_gradient": "second_order"},
    {"meta_optimiser": "adam"},
    {"reply_tokens": 3},
    {"overlap": "both"},
    {"position": "response_all"},
    {"utility_neurons": 0.0},
], ids=str)  # fmt: skip
def test_every_other_reading_of_the_paper_can_be_fitted(changes: Mapping[str, Any], fitted: FittedNeuronTune) -> None:
    found = fit(replace(SETTINGS, **changes))
    factors = torch.cat([found.scaling.safety_factors, found.scaling.utility_factors])
    assert bool(torch.isfinite(factors).all())
    assert (chosen(found), factors.tolist()) != (
        chosen(fitted),
        torch.cat([fitted.scaling.safety_factors, fitted.scaling.utility_factors]).tolist(),
    )


def test_the_cost_is_told_by_stage(fitted: FittedNeuronTune) -> None:
    assert fitted.cost.seconds > 0
    assert sorted(fitted.cost.stages) == ["adaptation", "attribution"]
    assert fitted.cost.forward_equivalents == pytest.approx(sum(fitted.cost.stages.values()))
    # Every epoch: two sets of two, inner and outer, forward and backward. Every validation: two sets of two.
    assert fitted.cost.stages["adaptation"] == 2 * (2 * 4 + 2 * 4) + 3 * 4
    assert fitted.cost.stages["attribution"] == pytest.approx(SAMPLES * fitted.cost.forward_equivalents_per_sample)
    assert (fitted.cost.extra_tokens_per_reply, fitted.cost.extra_passes_per_reply) == (0, 0)


def test_diagnostics_say_where_the_neurons_lie_and_what_became_of_the_factors(fitted: FittedNeuronTune) -> None:
    facts = fitted.diagnostics()
    assert [sum(facts[f"{name}_neurons_by_layer"]) for name in ("safety", "utility")] == [6, 9]
    assert facts["safety_factor_quantiles"][0] == pytest.approx(float(fitted.scaling.safety_factors.min()), abs=1e-4)
    assert len(facts["validation_loss"]) == 3
    assert facts["best_epoch"] == facts["validation_loss"].index(min(facts["validation_loss"]))
    assert facts["tuning_prompts"] == {
        "local_safety": 2, "local_utility": 2, "global_safety": 4, "global_utility": 4,
        "validation_safety": 2, "validation_utility": 2,
    }  # fmt: skip
    assert facts["attributed_samples"] == [3, 2]
    assert facts["utility_attribution"] == "attacked_question"
    assert facts["completeness_error"] < 0.2


def test_progress_is_told_of_both_stages() -> None:
    told = Told()
    NeuronTune(SETTINGS).fit(tiny(), embedded_data(), 0, told)
    assert told == [("attributing", done, SAMPLES) for done in range(SAMPLES + 1)] + [
        ("adapting", done, 2) for done in range(3)
    ]


def test_a_fit_that_is_possible_is_not_refused() -> None:
    NeuronTune(SETTINGS).check(tiny(), embedded_data())


def test_more_neurons_than_the_model_has_are_refused() -> None:
    assert refusal_of(replace(SETTINGS, safety_neurons=100, utility_neurons=45)) == (
        "'neurontune' is to scale 100 safety and 45 utility neurons, but 'tiny-llama' has 144 (3 layers of 48). "
        "Ask for fewer, or for shares below 1."
    )


def test_sets_that_may_overlap_may_each_be_as_large_as_the_model() -> None:
    NeuronTune(replace(SETTINGS, safety_neurons=144, utility_neurons=144, overlap="both")).check(
        tiny(), embedded_data()
    )


def test_a_count_that_is_neither_whole_nor_a_share_is_refused() -> None:
    assert refusal_of(replace(SETTINGS, utility_neurons=1.5)) == (
        "Setting 'utility_neurons' of 'neurontune' is 1.5; give a whole number, or a share below 1."
    )


def without(keep: str) -> AlignmentData:
    """The embedded data with one ingredient missing."""
    data = embedded_data()

    def changed(prompt: Prompt) -> Prompt:
        if keep == "single strategies" and prompt.attack:
            return replace(prompt, attack=Attack((*prompt.attack.categories, "another"), prompt.attack.template))
        if keep == "useful answers":
            return replace(prompt, references=References(prompt.references.safe, prompt.references.unsafe))
        if keep == "unsafe responses":
            return replace(prompt, references=References(prompt.references.safe, None, prompt.references.useful))
        return prompt

    dev = () if keep == "dev prompts" else tuple(changed(prompt) for prompt in data.dev)
    return AlignmentData("poor", tuple(changed(prompt) for prompt in data.train), dev)


@pytest.mark.parametrize(("missing", "what"), [
    ("single strategies", "an attacked harmful train prompt of a single strategy with a safe response"),
    ("useful answers", "a benign train prompt with a useful answer"),
    ("dev prompts", "an attacked harmful dev prompt with a safe response"),
])  # fmt: skip
def test_data_that_lacks_what_is_learnt_from_is_refused(missing: str, what: str) -> None:
    assert refusal_of(SETTINGS, without(missing)) == f"NeuronTune needs {what}; alignment data 'poor' has none."


def test_the_margin_is_refused_without_unsafe_responses() -> None:
    NeuronTune(SETTINGS).check(tiny(), without("unsafe responses"))
    assert refusal_of(replace(SETTINGS, safety_loss="margin"), without("unsafe responses")) == (
        "Setting 'safety_loss' of 'neurontune' is 'margin', which needs an unsafe response to every attacked prompt; "
        "alignment data 'poor' lacks some. Use 'nll'."
    )


def test_test_prompts_cannot_be_given_to_a_fit() -> None:
    prompts = load_benchmark("embedded_attacked").prompts
    assert {prompt.split for prompt in prompts} == {Split.TEST}
    with pytest.raises(ValueError, match="alignment data holds train and dev prompts only"):
        AlignmentData("cheating", prompts, ())
