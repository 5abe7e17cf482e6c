import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.base import AlignmentData, Prompt, References, Split
from benchmarks.embedded.replies import Reading, read
from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.registry import engine
from harness.transformers_model import TransformersModel
from methods.base import Foldable, GenerationSettings
from methods.refusal_direction.direction import differences
from methods.refusal_direction.method import FittedRefusalDirection, RefusalDirection
from methods.refusal_direction.questions import draw
from methods.refusal_direction.settings import RefusalDirectionSettings
from methods.settings import build_settings
from tests.methods import literal_scans
from tests.methods.tiny_models import LAYERS, embedded_data, tiny

FAMILIES = ("llama", "qwen2", "mistral", "gemma2", "phi3", "gpt2", "mixtral", "qwen3_moe")
SMALL = RefusalDirectionSettings(train_samples=8, dev_samples=4, filtered=False, max_kl=10)
OPERATIONS = ("add", "ablate")
PROMPTS = embedded_data().train[:3]
SHORT = GenerationSettings(max_new_tokens=6)


def fit(model: TransformersModel, settings: RefusalDirectionSettings = SMALL, seed: int = 0) -> FittedRefusalDirection:
    def ignored(stage: str, done: int, total: int) -> None:
        assert stage == "choosing a layer"
        assert 0 <= done <= total

    fitted = RefusalDirection(settings).fit(model, embedded_data(), seed, ignored)
    assert isinstance(fitted, FittedRefusalDirection)
    return fitted


def arm(operation: str, seed: int = 0) -> FittedRefusalDirection:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(seed))
    return replace(fit(tiny()), direction=direction, layer=2, coefficient=1.5 if operation == "add" else None)


def rated(model: TransformersModel, prompts: tuple[Prompt, ...] = PROMPTS) -> Tensor:
    """Log-probabilities of a reply of several tokens to each prompt."""
    rows = model.log_probabilities(prompts, [["Sure, this is how to go home."]] * len(prompts))
    return torch.stack([row[0] for row in rows])


def rated_under(fitted: FittedRefusalDirection, model: TransformersModel) -> Tensor:
    with fitted.applied(model):
        return rated(model)


def state_of(model: TransformersModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def assert_untouched(model: TransformersModel, before: dict[str, Tensor]) -> None:
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.network.modules())


@contextmanager
def input_changed(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]))
    yield
    handle.remove()


@pytest.mark.parametrize("family", FAMILIES)
def test_adding_is_changing_the_input_of_the_chosen_block_at_every_position(family: str) -> None:
    model, fitted = tiny(family), arm("add")
    default = rated(model)
    with input_changed(model.blocks[2].module, lambda stream: stream + 1.5 * fitted.direction):
        by_hand = rated(model)
        written = model.generate(PROMPTS, SHORT)
    assert (rated_under(fitted, model) - by_hand).abs().max() < 1e-4
    assert (by_hand - default).abs().max() > 1e-2
    with fitted.applied(model) as protected:
        assert [one.token_ids for one in protected.generate(PROMPTS, SHORT)] == [one.token_ids for one in written]


def projected(direction: Tensor, axis: int, weight: Tensor) -> Tensor:
    unit = direction / direction.norm()
    projection = torch.eye(32) - torch.outer(unit, unit)
    return projection @ weight if axis == 0 else weight @ projection


def test_ablating_is_serving_the_projected_weights() -> None:
    model, fitted = tiny(), arm("ablate")
    hooked, default = rated_under(fitted, model), rated(model)
    axes = {"o_proj": 0, "down_proj": 0, "embed_tokens": 1}
    weights = state_of(model)
    for name in weights:
        for part, axis in axes.items():
            if part in name:
                weights[name] = projected(fitted.direction, axis, weights[name])
    model.network.load_state_dict(weights)
    assert (rated(model) - hooked).abs().max() < 1e-4
    assert (hooked - default).abs().max() > 1e-2


@pytest.mark.parametrize("operation", OPERATIONS)
def test_passes_outside_of_answering_are_left_alone(operation: str) -> None:
    model, fitted = tiny(), arm(operation)
    ids = torch.tensor([model.encode(PROMPTS[0]).ids])
    with torch.no_grad():
        default = model.network(input_ids=ids).logits
        with fitted.applied(model):
            assert torch.equal(model.network(input_ids=ids).logits, default)


@pytest.mark.parametrize("family", FAMILIES)
def test_coefficient_zero_is_the_default_bit_for_bit(family: str) -> None:
    model = tiny(family)
    settings = build_settings(RefusalDirectionSettings, {**RefusalDirection.small, **RefusalDirection.neutral}, "x")
    assert torch.equal(rated_under(fit(model, settings), model), rated(model))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_fitting_and_leaving_restore_the_model_also_after_an_exception(family: str, operation: str) -> None:
    model = tiny(family)
    before = state_of(model)
    fitted = fit(model, replace(SMALL, operation=operation))
    assert_untouched(model, before)
    rated_under(fitted, model)
    assert_untouched(model, before)
    with pytest.raises(ZeroDivisionError), fitted.applied(model):
        raise ZeroDivisionError
    assert_untouched(model, before)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_replies_do_not_depend_on_the_batch(operation: str) -> None:
    model, prompts = tiny(), embedded_data().train[::100]
    with arm(operation).applied(model) as protected:
        together = protected.generate(prompts, SHORT)
        alone = [protected.generate([prompt], SHORT)[0] for prompt in prompts]
    assert [one.token_ids for one in together] == [one.token_ids for one in alone]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_saved_and_loaded_is_the_same_arm(operation: str, tmp_path: Path) -> None:
    model = tiny()
    fitted = fit(model, replace(SMALL, operation=operation))
    fitted.save(tmp_path)
    loaded = RefusalDirection.load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artefact.json", "tensors.safetensors"]
    assert isinstance(loaded, FittedRefusalDirection)
    assert torch.equal(rated_under(loaded, model), rated_under(fitted, model))
    assert (loaded.cost, loaded.diagnostics(), loaded.coefficient) == (
        fitted.cost,
        fitted.diagnostics(),
        1.0 if operation == "add" else None,
    )


def test_the_direction_is_that_of_the_layer_nearest_to_inducing_refusal_and_told_with_all_candidates() -> None:
    facts = fit(tiny()).diagnostics()
    assert [one["layer"] for one in facts["candidates"]] == [1, 2]
    assert max(one["induce"] for one in facts["candidates"]) < 0
    chosen = max(facts["candidates"], key=lambda one: one["induce"])
    assert facts["layer"] == chosen["layer"]
    assert facts["warnings"] == [
        f"no direction induces refusal on harmless dev prompts: the log-odds under the chosen one are "
        f"{chosen['induce']:.1f}, before block {chosen['layer']}."
    ]
    assert facts["train_questions"] == [8, 8]
    assert facts["dev_questions"] == [4, 4]


def test_a_model_that_refuses_nothing_is_fitted_on_unfiltered_questions_and_that_is_told() -> None:
    facts = fit(tiny(), replace(SMALL, filtered=True)).diagnostics()
    assert facts["train_questions"] == [8, 8]
    assert "unfiltered: the model refuses 0 of 8 harmful train questions." in facts["contrast"]
    assert "unfiltered: the model refuses 0 of 4 harmful dev questions." in facts["contrast"]
    assert [text for text in facts["contrast"] if text.startswith("un")] == facts["warnings"][:-1]


def test_a_layer_that_is_given_is_taken_without_any_dev_prompt() -> None:
    model, data = tiny(), embedded_data()
    settings = replace(SMALL, layer=1, train_samples=10_000)
    fitted = RefusalDirection(settings).fit(model, AlignmentData("train", data.train, ()), 0, nobody)
    assert isinstance(fitted, FittedRefusalDirection)
    assert fitted.layer == 1
    plain = [
        [model.encode(prompt) for prompt in {one.question_id: one.without_attack() for one in prompts}.values()]
        for prompts in (data.harmful(), data.benign())
    ]
    expected = differences(model, plain[0], plain[1], template=False)[0, 0]
    assert torch.allclose(fitted.direction.double(), expected, atol=1e-5)
    assert fitted.cost.stages == {"means": len(plain[0]) + len(plain[1])}


def nobody(stage: str, done: int, total: int) -> None:
    raise AssertionError((stage, done, total))


def test_deeper_blocks_than_the_share_are_no_candidates() -> None:
    facts = fit(tiny(), replace(SMALL, deepest=0.5)).diagnostics()
    assert [one["layer"] for one in facts["candidates"]] == [1]


def test_every_template_token_is_a_candidate_where_asked_for() -> None:
    facts = fit(tiny(), replace(SMALL, positions="template", layer=2)).diagnostics()
    assert [(one["place"], one["layer"]) for one in facts["candidates"]] == [(0, 2), (1, 2)]


def test_the_random_control_keeps_layer_and_length() -> None:
    model = tiny()
    found, control = fit(model), fit(model, replace(SMALL, direction="random"))
    assert control.layer == found.layer
    assert float(control.direction.norm()) == pytest.approx(float(found.direction.norm()), rel=1e-5)
    assert not torch.allclose(control.direction, found.direction)


def test_the_control_with_shuffled_labels_is_the_difference_of_means_drawn_by_lot_as_long_as_the_true_one() -> None:
    model = tiny()
    found, control = fit(model), fit(model, replace(SMALL, direction="shuffled_labels"))
    asked = draw(model, embedded_data(), Split.TRAIN, 8, random.Random(0))
    pooled = [*asked.harmful, *asked.harmless]
    random.Random("shuffled labels 0").shuffle(pooled)
    states = torch.stack([literal_scans.states(model, tokens.ids)[found.layer - 1][-1] for tokens in pooled])
    literal = states[:8].mean(dim=0) - states[8:].mean(dim=0)
    expected = literal / literal.norm() * found.direction.norm()
    torch.testing.assert_close(control.direction, expected, atol=1e-4, rtol=1e-3)
    assert control.layer == found.layer
    assert control.cost.stages["means"] == found.cost.stages["means"] + 16


def test_the_seed_decides_the_questions_and_the_control() -> None:
    model = tiny()
    controls = [replace(SMALL, direction=name, train_samples=10_000) for name in ("random", "shuffled_labels")]
    for settings in (SMALL, *controls):
        first, again, other = (fit(model, settings, seed).direction for seed in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def test_the_cost_counts_every_pass() -> None:
    model, passes = tiny(), 0

    def count(_: nn.Module, __: object, kwargs: dict[str, Tensor]) -> None:
        nonlocal passes
        passes += len(kwargs["input_ids"])

    handle = model.network.register_forward_pre_hook(count, with_kwargs=True)
    cost = fit(model).cost
    handle.remove()
    assert cost.forward_equivalents == passes == 8 + 8 + 4 + 2 * 3 * 4
    assert cost.stages == {"means": 16, "selection": 28}


def test_the_arm_needs_activations_alone_and_is_not_folded() -> None:
    assert RefusalDirection.needs.activations
    assert sum(getattr(RefusalDirection.needs, name) for name in RefusalDirection.needs.__slots__) == 1
    assert not isinstance(fit(tiny()), Foldable)


def refused(settings: RefusalDirectionSettings, data: AlignmentData | None = None) -> str:
    with pytest.raises(UserError) as caught:
        RefusalDirection(settings).check(tiny(), data or embedded_data())
    return str(caught.value)


@pytest.mark.parametrize("layer", [0, LAYERS])
def test_a_layer_that_is_not_there_is_refused(layer: int) -> None:
    assert refused(replace(SMALL, layer=layer)) == (
        f"'refusal_direction' is to act before block {layer}, but 'tiny-llama' takes 1 to 2. "
        "Give one of these, or -1 to let the dev prompts choose."
    )


def test_a_share_of_the_depth_without_blocks_is_refused() -> None:
    assert refused(replace(SMALL, deepest=0.3)) == (
        "'refusal_direction' may look before block 1 and later ones in the first 0.3 of the depth, "
        "but 'tiny-llama' has no such block among its 3. Give a larger deepest."
    )


def test_data_without_prompts_or_references_is_refused() -> None:
    data = embedded_data()
    bare = tuple(replace(prompt, references=References()) for prompt in data.train)
    assert refused(SMALL, AlignmentData("bare", bare, ())) == (
        "'refusal_direction' needs harmful dev prompts and benign dev prompts and safe references of harmful train "
        "prompts that begin unlike the useful ones of benign prompts, which the alignment data 'bare' lacks. "
        "Use --data with them; 'embedded' has all."
    )
    RefusalDirection(replace(SMALL, layer=1)).check(tiny(), AlignmentData("bare", bare, ()))


def test_on_the_embedded_model_it_moves_refusal_both_ways_and_a_random_vector_does_not() -> None:
    model = engine("transformers").load(ModelSpec("embedded"))
    attacked = [prompt for prompt in embedded_data().dev if prompt.attack and prompt.references.safe][:16]

    def refusals(settings: RefusalDirectionSettings) -> int:
        fitted = RefusalDirection(settings).fit(model, embedded_data(), 0, lambda stage, done, total: None)  # noqa: ARG005
        with fitted.applied(model) as protected:
            replies = protected.generate(attacked, GenerationSettings(16))
        return sum(read(reply.text) is Reading.REFUSED for reply in replies)

    found = RefusalDirectionSettings(layer=4, train_samples=48, filtered=False, coefficient=0.75)
    default = refusals(replace(found, coefficient=0.0))
    assert refusals(found) > default + 8
    assert abs(refusals(replace(found, direction="random")) - default) <= 3
    assert refusals(replace(found, operation="ablate")) < default
