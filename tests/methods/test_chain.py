import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.errors import UserError
from harness.transformers_model import TransformersModel
from methods.base import (
    ChatModel,
    Cost,
    Fidelity,
    Fitted,
    Foldable,
    GenerationSettings,
    Method,
    Progress,
    Requirements,
)
from methods.cards import card
from methods.chain import chain
from methods.contract import faults
from methods.default import Default
from methods.neurontune.method import NeuronTune
from methods.refusal_direction.method import RefusalDirection
from methods.registry import method_type
from methods.safety_prompt import SafetyPrompt
from methods.settings import build_settings, describe
from methods.wrapped import Wrapped
from tests.methods.tiny_models import embedded_data, tiny
from tests.methods.toy_links import Saying, Shift, Word

PROMPTS = embedded_data().train[:3]
SHORT = GenerationSettings(max_new_tokens=6)


class Told(list[tuple[str, int, int]]):
    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append((stage, done, total))


def build(kind: type[Method], values: Mapping[str, Any]) -> Method:
    return kind(build_settings(kind.settings_type, values, kind.name))


def fit(
    kind: type[Method], values: Mapping[str, Any], model: ChatModel | None = None, progress: Progress | None = None
) -> Fitted:
    return build(kind, values).fit(model or tiny(), embedded_data(), 0, Told() if progress is None else progress)


def rated(model: ChatModel) -> Tensor:
    rows = model.log_probabilities(PROMPTS, [["Sure, this is how to go home."]] * len(PROMPTS))
    return torch.stack([row[0] for row in rows])


def rated_under(fitted: Fitted, model: ChatModel) -> Tensor:
    with fitted.applied(model) as protected:
        return rated(protected)


def texts_under(fitted: Fitted, model: ChatModel) -> list[str]:
    with fitted.applied(model) as protected:
        return [reply.text for reply in protected.generate(PROMPTS, SHORT)]


def state_of(model: TransformersModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def assert_untouched(model: TransformersModel, before: dict[str, Tensor]) -> None:
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.network.modules())


PAIR = chain([SafetyPrompt, RefusalDirection])
STRONG = {
    **PAIR.small,
    "refusal_direction_coefficient": 2.0,
    "refusal_direction_layer": 1,
    "refusal_direction_max_kl": 100.0,
}


def test_a_chain_is_its_parts_fitted_and_nested_by_hand() -> None:
    model = tiny()
    prompt = fit(SafetyPrompt, {}, model)
    with prompt.applied(model) as first:
        steered = fit(RefusalDirection, {**RefusalDirection.small, "coefficient": 2.0, "layer": 1}, first)
        with steered.applied(first) as second:
            by_hand = rated(second)
    assert torch.equal(rated_under(fit(PAIR, STRONG, model), model), by_hand)
    # The direction was learnt from prompts that carry the words of the part before.
    plain = fit(RefusalDirection, {**RefusalDirection.small, "coefficient": 2.0, "layer": 1}, model)
    with prompt.applied(model) as first, plain.applied(first) as second:
        assert not torch.equal(rated(second), by_hand)


def test_the_first_part_is_innermost() -> None:
    model = tiny()
    plain = [reply.text for reply in model.generate(PROMPTS, SHORT)]
    assert texts_under(fit(chain([Word, Word]), {"word2_word": "second"}, model), model) == [
        f"{text} first second" for text in plain
    ]


def test_the_order_of_the_parts_matters_where_one_is_fitted_on_the_other() -> None:
    model = tiny()
    other = chain([RefusalDirection, SafetyPrompt])
    assert not torch.equal(rated_under(fit(PAIR, STRONG, model), model), rated_under(fit(other, STRONG, model), model))


def test_every_part_is_fitted_on_the_model_as_the_parts_before_leave_it() -> None:
    model = tiny()
    Word.seen.clear()
    fit(chain([Word, SafetyPrompt, Word]), {}, model)
    assert Word.seen[0] is model
    assert isinstance(Word.seen[1], Wrapped)
    assert isinstance(Word.seen[1].inner, Saying)


def test_a_chain_of_neutral_parts_is_the_default_bit_for_bit() -> None:
    model = tiny()
    assert torch.equal(rated_under(fit(PAIR, {**PAIR.small, **PAIR.neutral}, model), model), rated(model))


def test_costs_add_up_stage_by_stage_and_memory_is_the_most_of_any_part() -> None:
    cost = fit(chain([Word, Shift, Word]), {}).cost
    assert cost == Cost(
        seconds=3.5,
        forward_equivalents=5.0,
        peak_bytes=700,
        stages={"word: saying": 2.0, "shift_er: shifting": 1.0, "word2: saying": 2.0},
        forward_equivalents_per_sample=1.0,
        extra_tokens_per_reply=6.0,
        extra_passes_per_reply=0.5,
    )


def test_progress_and_diagnostics_name_the_part() -> None:
    told = Told()
    fitted = fit(chain([Word, Word]), {"word2_word": "second"}, progress=told)
    assert told == [("word: choosing a word", 0, 10), ("word2: choosing a word", 0, 10)]
    assert fitted.diagnostics() == {"word": {"word": "first"}, "word2": {"word": "second"}}


NEURONS = {
    **NeuronTune.small,
    "adaptive": False,
    "pinpointing": "random",
    "safety_neurons": 40,
    "utility_neurons": 40,
    "safety_scale": 2.0,
    "utility_scale": 0.25,
}


@pytest.mark.parametrize(
    "kinds",
    [(NeuronTune, NeuronTune), (Shift, NeuronTune), (NeuronTune, Shift), (Shift, NeuronTune, Shift)],
    ids=lambda kinds: "+".join(kind.name for kind in kinds),
)
def test_folding_all_parts_is_applying_them(kinds: tuple[type[Method], ...]) -> None:
    model, kind = tiny(), chain(kinds)
    labels = {field.name.partition("_safety_neurons")[0] for field in describe(kind.settings_type)}
    values = {
        f"{label}_{name}": value for label in labels & {"neurontune", "neurontune2"} for name, value in NEURONS.items()
    }
    fitted = fit(kind, values, model)
    assert isinstance(fitted, Foldable)
    applied, default = rated_under(fitted, model), rated(model)
    model.network.load_state_dict(fitted.fold(model.network.state_dict(), model.blocks), strict=False)
    assert (rated(model) - applied).abs().max() < 1e-4
    assert (applied - default).abs().max() > 1e-2


def test_a_chain_is_foldable_only_if_every_part_is() -> None:
    assert isinstance(fit(chain([Shift, Shift]), {}), Foldable)
    mixed = fit(chain([Shift, Word]), {})
    assert not isinstance(mixed, Foldable)
    assert not hasattr(mixed, "fold")


def test_parts_are_saved_in_numbered_folders_and_loaded_by_their_own_methods(tmp_path: Path) -> None:
    model, kind = tiny(), chain([SafetyPrompt, RefusalDirection, SafetyPrompt])
    values = {**kind.small, "safety_prompt2_placement": "suffix", "refusal_direction_layer": 1}
    fitted = fit(kind, values, model)
    fitted.save(tmp_path)
    folders = ["1-safety_prompt", "2-refusal_direction", "3-safety_prompt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*folders, "artefact.json"]
    assert json.loads((tmp_path / "artefact.json").read_text())["facts"] == {"parts": folders}
    loaded = kind.load(tmp_path)
    assert torch.equal(rated_under(loaded, model), rated_under(fitted, model))
    assert (loaded.cost, loaded.diagnostics()) == (fitted.cost, fitted.diagnostics())


@pytest.mark.parametrize("place", [1, 2])
def test_a_part_that_fails_leaves_the_model_as_it_was(place: int) -> None:
    model, kinds = tiny(), [RefusalDirection, Shift]
    before = state_of(model)
    kind = chain([*kinds[:place], Word, *kinds[place:]])
    settings = {**kind.small, "refusal_direction_max_kl": 100.0}
    with pytest.raises(ZeroDivisionError):
        fit(kind, {**settings, "word_word": "trouble"}, model)
    assert_untouched(model, before)
    with pytest.raises(KeyError), fit(kind, settings, model).applied(model):
        raise KeyError
    assert_untouched(model, before)


def test_settings_are_those_of_the_parts_under_their_names() -> None:
    kind = chain([Word, NeuronTune, Word])
    parts = {"word": Word, "neurontune": NeuronTune, "word2": Word}
    expected = [
        replace(known, name=f"{label}_{known.name}")
        for label, part in parts.items()
        for known in describe(part.settings_type)
    ]
    assert list(describe(kind.settings_type)) == expected
    assert asdict(kind.settings_type())["neurontune_epochs"] == NeuronTune.settings_type().epochs
    with pytest.raises(AttributeError):
        kind.settings_type().word_word = "changed"


def test_settings_of_a_chain_are_checked_like_any() -> None:
    with pytest.raises(UserError) as caught:
        build_settings(PAIR.settings_type, {"safety_prompt_placement": "nowhere"}, PAIR.name)
    assert str(caught.value) == (
        "Setting 'safety_prompt_placement' of 'safety_prompt+refusal_direction' is 'nowhere'; "
        "it must be one of system, wrap, suffix."
    )


def test_what_a_chain_says_of_itself_is_what_its_parts_say() -> None:
    kind = chain([Word, NeuronTune, Shift, Word])
    assert kind.name == "word+neurontune+shift.er+word"
    assert kind.paper == f"none; {NeuronTune.paper}"
    assert kind.fidelity is NeuronTune.fidelity is Fidelity.PAPER_ONLY
    assert chain([Word, Shift]).fidelity is Fidelity.ADAPTED
    assert kind.deviations[0] == "Each part is fitted on the model as the parts before it leave it."
    assert kind.deviations[1] == "word: It says what it is told."
    assert kind.deviations[-1] == "word2: It says what it is told."
    assert kind.needs == Requirements(activations=True, gradients=True, weights=True, neurons=True)
    assert (kind.is_seeded, chain([Word, Shift]).is_seeded) == (True, False)
    assert chain([Shift, Word]).neutral == {"shift_er_by": 0.0, "word_word": ""}
    assert chain([Shift, Word]).small == {"shift_er_by": 0.01}
    assert card(kind)["summary"] == "Applied in order, as one arm: word, then neurontune, then shift_er, then word2."


def test_a_chain_has_the_structure_of_a_method_and_is_made_once() -> None:
    assert faults(PAIR) == []
    assert method_type("safety_prompt+refusal_direction") is PAIR is chain([SafetyPrompt, RefusalDirection])
    assert method_type("refusal_direction + safety_prompt") is not PAIR


def test_every_part_is_checked_on_the_plain_model() -> None:
    method = build(chain([Shift, Word]), {"word_word": "forbidden"})
    with pytest.raises(UserError, match="not to be said"):
        method.check(tiny(), embedded_data())
    build(chain([Shift, Word]), {}).check(tiny(), embedded_data())


def refusal_of(name: str) -> str:
    with pytest.raises(UserError) as caught:
        method_type(name)
    return str(caught.value)


@pytest.mark.parametrize("name", ["neurontune+default", "default+neurontune"])
def test_the_model_as_it_is_cannot_be_chained(name: str) -> None:
    assert refusal_of(name) == f"'{name}' chains 'default', the model as it is, which adds nothing. Leave it out."


def test_an_unknown_part_is_named_with_the_nearest() -> None:
    assert refusal_of("neurontune+safety_promt").startswith(
        "No method named 'safety_promt'. Did you mean 'safety_prompt'?"
    )


@pytest.mark.parametrize(("kinds", "joined"), [([], ""), ([Word], "word")])
def test_fewer_than_two_parts_are_no_chain(kinds: list[type[Method]], joined: str) -> None:
    with pytest.raises(UserError) as caught:
        chain(kinds)
    assert str(caught.value) == f"'{joined}' is no chain. Join two methods or more: 'a+b'."


def test_default_alone_in_a_list_is_refused_as_well() -> None:
    with pytest.raises(UserError, match="Leave it out"):
        chain([Default, Word])
