from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.base import Message
from harness.transformers_model import TransformersModel
from methods.base import Fitted, Foldable, GenerationSettings
from methods.dinm import averaging
from methods.dinm.averaging import Edit, edit
from methods.dinm.fitted import FittedSuffixed
from methods.dinm.instances import encode
from methods.dinm.method import Dinm
from methods.dinm.settings import SUFFIX, DinmSettings, resolved
from methods.dinm.weight_edit import FittedDinm
from methods.metering import Meter
from tests.methods.literal_dinm import SILENT, instance, literal_distances
from tests.methods.tiny_models import FAMILIES, LAYERS, attacked_and_plain, embedded_data, tiny, tokenizer

SETTINGS = DinmSettings(instances=2, steps=2, learning_rate=3e-3)
GENERATION = GenerationSettings(max_new_tokens=4)


def fit(settings: DinmSettings = SETTINGS, seed: int = 0, model: TransformersModel | None = None) -> Fitted:
    return Dinm(settings).fit(model or tiny(), embedded_data(), seed, SILENT)


def fit_edit(settings: DinmSettings = SETTINGS, seed: int = 0, model: TransformersModel | None = None) -> FittedDinm:
    fitted = fit(settings, seed, model)
    assert isinstance(fitted, FittedDinm)
    return fitted


def edit_of(settings: DinmSettings, *numbers: int) -> Edit:
    """The edit of these instances."""
    model, of_variant = tiny(), resolved(settings)
    lessons = [encode(model, instance(number), of_variant) for number in numbers]
    return edit(model, lessons, of_variant, 0, Meter(), SILENT)


@torch.no_grad()
def logits_of(model: TransformersModel) -> Tensor:
    pair, _ = attacked_and_plain(model)
    logits: Tensor = model.network(input_ids=torch.tensor([[*pair.prompt, *pair.reply]])).logits
    return logits


def bits_of(model: TransformersModel) -> dict[str, Tensor]:
    return {name: tensor.clone().view(torch.int32) for name, tensor in model.network.state_dict().items()}


def assert_untouched(model: TransformersModel, before: Mapping[str, Tensor]) -> None:
    assert all(torch.equal(tensor, before[name]) for name, tensor in bits_of(model).items())
    modules = list(model.network.modules())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in modules)
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in model.network.parameters())


@pytest.fixture(scope="module")
def fitted() -> FittedDinm:
    return fit_edit()


def test_the_same_seed_gives_the_same_bytes(fitted: FittedDinm, tmp_path: Path) -> None:
    for name, one in (("first", fitted), ("again", fit_edit())):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
    assert (tmp_path / "first" / "tensors.safetensors").read_bytes() == (
        tmp_path / "again" / "tensors.safetensors"
    ).read_bytes()


def test_another_seed_makes_another_edit(fitted: FittedDinm) -> None:
    other = fit_edit(seed=1)
    assert any(not torch.equal(other.deltas.get(name, delta * 0), delta) for name, delta in fitted.deltas.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_folding_and_applying_give_the_logits_of_weights_with_the_deltas_added(family: str) -> None:
    model, folded, added = (tiny(family) for _ in range(3))
    fitted = fit_edit(model=model)
    before, default = bits_of(model), logits_of(model)
    with fitted.applied(model) as protected:
        assert protected is model
        inside = logits_of(model)
    folded.network.load_state_dict(fitted.fold(folded.network.state_dict(), folded.blocks), strict=False)
    for name, delta in fitted.deltas.items():
        added.network.get_parameter(name).data.add_(delta)
    assert (logits_of(folded) - inside).abs().max() <= 1e-5
    assert (logits_of(added) - inside).abs().max() <= 1e-5
    assert (inside - default).abs().max() > 1e-3
    assert_untouched(model, before)


def test_fitting_leaves_the_model_as_it_was() -> None:
    for settings in (SETTINGS, replace(SETTINGS, edit_scope="block", mask_rule="wanda", edit_fraction=0.1)):
        model = tiny()
        before = bits_of(model)
        fit(settings, model=model)
        assert_untouched(model, before)


def test_an_exception_leaves_the_model_as_it_was(fitted: FittedDinm) -> None:
    model = tiny()
    before = bits_of(model)
    with pytest.raises(ZeroDivisionError), fitted.applied(model):
        raise ZeroDivisionError
    with pytest.raises(ArithmeticError, match="at step 2 of 2"):
        fit(replace(SETTINGS, learning_rate=3e37), model=model)
    assert_untouched(model, before)


def test_without_steps_the_model_stays_the_same_to_the_bit() -> None:
    model = tiny()
    still = fit_edit(DinmSettings(**{**Dinm.small, **Dinm.neutral}), model=model)
    assert still.fold(model.network.state_dict(), model.blocks) == {}
    default = logits_of(model)
    with still.applied(model):
        assert torch.equal(logits_of(model), default)


def test_unedited_entries_keep_every_bit_and_the_edited_ones_are_the_share_that_was_asked_for() -> None:
    model = tiny()
    fitted = fit_edit(replace(SETTINGS, edit_fraction=0.1, instances=3, weight_decay=0.1), model=model)
    (name, delta), *_ = fitted.deltas.items()
    weight = model.network.get_parameter(name)
    weight[delta == 0] = -0.0
    folded = fitted.fold(dict(model.network.named_parameters()), model.blocks)[name]
    assert torch.equal(folded.view(torch.int32)[delta == 0], weight.data.view(torch.int32)[delta == 0])
    assert not folded.requires_grad
    shares = fitted.facts["share_of_entries_edited"]
    assert shares == {name: pytest.approx(0.1, abs=1e-3) for name in fitted.deltas}


@pytest.mark.parametrize("rule", ["random", "neuron_top", "wanda", "delta_top"])
def test_with_the_whole_matrix_every_rule_is_the_edit_without_a_mask(rule: str, fitted: FittedDinm) -> None:
    found = fit_edit(replace(SETTINGS, edit_fraction=1.0, mask_rule=rule))
    assert found.deltas.keys() == fitted.deltas.keys()
    assert all(torch.equal(found.deltas[name], delta) for name, delta in fitted.deltas.items())


def test_delta_top_keeps_the_largest_changes_of_the_full_edit(fitted: FittedDinm) -> None:
    sparse = fit_edit(replace(SETTINGS, edit_fraction=0.2, mask_rule="delta_top"))
    for name, full in fitted.deltas.items():
        count = round(0.2 * full.numel())
        smallest = sorted(full.abs().flatten().tolist(), reverse=True)[count - 1]
        assert torch.equal(sparse.deltas[name], torch.where(full.abs() >= smallest, full, 0))


@pytest.mark.parametrize("fraction", [1.0, 0.1])
def test_the_control_has_the_same_changes_at_other_places(fraction: float) -> None:
    settings = replace(SETTINGS, edit_fraction=fraction)
    tuned, control = fit_edit(settings), fit_edit(replace(settings, delta="shuffled"))
    assert control.deltas.keys() == tuned.deltas.keys()
    for name, delta in tuned.deltas.items():
        assert not torch.equal(control.deltas[name], delta)
        assert torch.equal(control.deltas[name].flatten().sort().values, delta.flatten().sort().values)
        assert torch.equal(control.deltas[name] == 0, delta == 0)
    again = fit_edit(replace(settings, delta="shuffled"))
    assert all(torch.equal(again.deltas[name], delta) for name, delta in control.deltas.items())


def test_the_edit_of_several_instances_is_the_mean_of_their_own() -> None:
    alone, together = [edit_of(SETTINGS, number) for number in range(3)], edit_of(SETTINGS, 0, 1, 2)
    assert together.facts["layers"] == [layer for one in alone for layer in one.facts["layers"]]
    assert together.facts["losses"] == [losses for one in alone for losses in one.facts["losses"]]
    for name, delta in together.deltas.items():
        mean = sum((one.deltas.get(name, torch.zeros_like(delta)) for one in alone), torch.zeros_like(delta)) / 3
        assert torch.allclose(delta, mean, atol=1e-9)


def test_a_layers_edits_are_divided_by_the_number_of_all_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = iter([2, 0, 0, 2])
    monkeypatch.setattr(averaging, "distances", lambda *_: torch.eye(LAYERS)[next(layers)])
    together, alone = edit_of(SETTINGS, 0, 1), [edit_of(SETTINGS, 1), edit_of(SETTINGS, 0)]
    down = [block.dense.down_weight for block in tiny().blocks]
    assert together.facts["layers"] == [2, 0]
    assert set(together.deltas) == {down[0], down[2]}
    for name, one in zip((down[0], down[2]), alone, strict=True):
        assert torch.allclose(together.deltas[name], one.deltas[name] / 2, atol=1e-9)


def test_layers_are_located_for_each_instance_or_for_the_first() -> None:
    model, settings = tiny(), resolved(SETTINGS)
    each = edit_of(replace(SETTINGS, distance="normalised"), 0, 1, 2)
    literal = [
        literal_distances(model, encode(model, instance(number), settings), normalised=True) for number in range(3)
    ]
    assert each.facts["layers"] == [values.index(max(values)) for values in literal]
    assert each.facts["distance_by_layer"] == [pytest.approx(values, abs=1e-3) for values in literal]
    first = edit_of(replace(SETTINGS, distance="normalised", location="first_instance"), 0, 1, 2)
    assert first.facts["layers"] == each.facts["layers"][:1] * 3
    assert first.facts["distance_by_layer"] == each.facts["distance_by_layer"][:1]


@pytest.mark.parametrize("changes", [
    {"variant": "faithful", "intervention": "edit"},
    {"constraint": "value_only"},
    {"end_of_turn": "left_out"},
    {"labels": "opening_and_reply"},
    {"training_suffix": "always"},
    {"edit_scope": "block"},
    {"edit_weight": 10.0},
    {"mask_rule": "neuron_top", "edit_fraction": 0.5},
], ids=str)  # fmt: skip
def test_every_switch_changes_the_edit(changes: Mapping[str, Any], fitted: FittedDinm) -> None:
    found = fit_edit(replace(SETTINGS, **changes))
    assert all(bool(delta.isfinite().all()) for delta in found.deltas.values())
    assert any(not torch.equal(found.deltas.get(name, delta * 0), delta) for name, delta in fitted.deltas.items())


def test_the_cost_is_told_by_stage(fitted: FittedDinm) -> None:
    stages, layers = fitted.cost.stages, fitted.facts["layers"]
    backward = sum(1 - layer / LAYERS for layer in layers)
    assert stages == {"location": 4, "editing": pytest.approx(2 * (1 + 2 * 2) + 2 * 2 * backward)}
    assert fitted.cost.forward_equivalents == pytest.approx(sum(stages.values()))
    assert (fitted.cost.extra_tokens_per_reply, fitted.cost.extra_passes_per_reply) == (0, 0)


def test_diagnostics_say_where_how_the_loss_fell_and_how_much_changed(fitted: FittedDinm) -> None:
    facts, weights = fitted.diagnostics(), tiny().network.state_dict()
    assert [len(losses) for losses in facts["losses"]] == [2, 2]
    assert all(losses[1] < losses[0] for losses in facts["losses"])
    assert facts["layers"] == [apart.index(max(apart)) for apart in facts["distance_by_layer"]]
    for name, delta in fitted.deltas.items():
        expected = float(delta.square().sum().sqrt() / weights[name].square().sum().sqrt())
        assert facts["relative_norm"][name] == pytest.approx(expected, abs=1e-5)


def test_progress_is_told_by_instance() -> None:
    told: list[tuple[str, int, int]] = []
    Dinm(SETTINGS).fit(tiny(), embedded_data(), 0, lambda *step: told.append(step))
    assert told == [("editing", done, 2) for done in range(3)]


@pytest.mark.parametrize("intervention", ["edit", "suffix", "edit+suffix"])
def test_what_is_saved_and_loaded_answers_the_same(intervention: str, tmp_path: Path) -> None:
    model, prompts = tiny(), [instance(number).harmful for number in range(2)]
    fitted = fit(replace(SETTINGS, intervention=intervention), model=model)
    fitted.save(tmp_path)
    loaded = Dinm.load(tmp_path)
    assert type(loaded) is type(fitted)
    assert (loaded.cost, loaded.diagnostics()) == (fitted.cost, fitted.diagnostics())
    with fitted.applied(model) as one:
        expected = [reply.token_ids for reply in one.generate(prompts, GENERATION)]
    with loaded.applied(model) as other:
        assert [reply.token_ids for reply in other.generate(prompts, GENERATION)] == expected
    assert {path.name for path in tmp_path.iterdir()} <= {"artefact.json", "tensors.safetensors"}


@pytest.mark.parametrize(("intervention", "is_foldable", "is_edit"), [
    ("edit", True, True), ("suffix", False, False), ("edit+suffix", False, True),
])  # fmt: skip
def test_only_a_pure_edit_claims_to_be_foldable(intervention: str, is_foldable: bool, is_edit: bool) -> None:
    fitted = fit(replace(SETTINGS, intervention=intervention))
    assert isinstance(fitted, Foldable) is is_foldable
    model = tiny()
    default = logits_of(model)
    with fitted.applied(model):
        assert torch.equal(logits_of(model), default) is not is_edit


def test_the_suffix_is_asked_after_a_space_with_ids_kept_and_its_tokens_counted() -> None:
    model, prompt = tiny(), instance().harmful
    fitted = fit(replace(SETTINGS, intervention="suffix"), model=model)
    assert isinstance(fitted, FittedSuffixed)
    by_hand = replace(prompt, messages=(Message("user", f"{prompt.messages[0].content} {SUFFIX}"),))
    with fitted.applied(model) as protected:
        assert protected.encode(prompt) == model.encode(by_hand)
        (reply,), (expected,) = protected.generate([prompt], GENERATION), model.generate([by_hand], GENERATION)
        asked = protected.log_probabilities([prompt], [["Sure", "I"]])[0]
        assert all(
            torch.equal(one, other)
            for one, other in zip(asked, model.log_probabilities([by_hand], [["Sure", "I"]])[0], strict=True)
        )
    assert (reply.prompt_id, reply.token_ids) == (prompt.id, expected.token_ids)
    tokens = len(tokenizer()(SUFFIX, add_special_tokens=False)["input_ids"])
    assert fitted.cost.extra_tokens_per_reply == tokens
    assert fitted.cost.forward_equivalents == 0
