import math
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.base import AlignmentData, Prompt, Split
from benchmarks.errors import UserError
from harness.transformers_model import TransformersModel
from methods.base import PromptTokens
from methods.metering import Meter
from methods.refusal_direction.direction import ablated, differences, random_like, without
from methods.refusal_direction.questions import LEAST, Contrast, draw, keep_typical, refusal_tokens
from methods.refusal_direction.search import Search
from methods.refusal_direction.selection import (
    Bench,
    Candidate,
    choose,
    measure,
    next_token,
    refusal_scores,
    shortfalls,
)
from tests.methods.tiny_models import LAYERS, embedded_data, tiny

FAMILIES = ("llama", "qwen2", "mistral", "gemma2", "phi3", "gpt2", "mixtral", "qwen3_moe")
HARMFUL, HARMLESS = embedded_data().harmful()[:5], embedded_data().benign()[-4:]


def encoded(model: TransformersModel, prompts: tuple[Prompt, ...]) -> list[PromptTokens]:
    return [model.encode(prompt) for prompt in prompts]


@torch.no_grad()
def block_inputs(model: TransformersModel, tokens: PromptTokens) -> tuple[Tensor, ...]:
    """What enters each block, one prompt at a time; the last entry is what leaves the last block, normed."""
    found = model.network(input_ids=torch.tensor([tokens.ids]), output_hidden_states=True).hidden_states
    return tuple(states[0] for states in found)


@torch.no_grad()
def last_logits(model: TransformersModel, tokens: PromptTokens) -> Tensor:
    logits: Tensor = model.network(input_ids=torch.tensor([tokens.ids])).logits[0, -1]
    return logits


def state_of(model: TransformersModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def a_direction(seed: int = 0, width: int = 32) -> Tensor:
    return torch.randn(width, generator=torch.Generator().manual_seed(seed)) * 3


@contextmanager
def input_changed(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]))
    yield
    handle.remove()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_direction_is_the_difference_of_mean_block_inputs_at_the_last_prompt_token(family: str) -> None:
    model = tiny(family)
    bad, good = encoded(model, HARMFUL), encoded(model, HARMLESS)
    found = differences(model, bad, good, template=False)
    assert (found.shape, found.dtype) == ((1, LAYERS - 1, 32), torch.float64)
    for layer in range(1, LAYERS):
        means = [
            sum(block_inputs(model, tokens)[layer][-1].double() for tokens in prompts) / len(prompts)
            for prompts in (bad, good)
        ]
        assert torch.allclose(found[0, layer - 1], means[0] - means[1], atol=1e-5)


def test_directions_may_be_read_at_every_template_token_after_the_users_words() -> None:
    model = tiny()
    bad, good = encoded(model, HARMFUL), encoded(model, HARMLESS)
    found = differences(model, bad, good, template=True)
    places = len(bad[0].ids) - bad[0].user_end
    assert found.shape == (places, LAYERS - 1, 32) == (2, LAYERS - 1, 32)
    for place in range(places):
        means = [
            sum(block_inputs(model, tokens)[1][-1 - place].double() for tokens in prompts) / len(prompts)
            for prompts in (bad, good)
        ]
        assert torch.allclose(found[place, 0], means[0] - means[1], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_ablated_stream_is_orthogonal_to_the_direction_at_every_place(family: str) -> None:
    model = tiny(family)
    direction, places = a_direction(), 0

    def check(stream: Tensor) -> None:
        nonlocal places
        places += 1
        along = (stream @ direction).abs() / direction.norm()
        assert (along <= 1e-5 * stream.norm(dim=-1).clamp(min=1)).all()

    def look_at_input(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        check(args[0])

    def look_at_output(_: nn.Module, __: object, output: Tensor | tuple[Tensor, ...]) -> None:
        check(output[0] if isinstance(output, tuple) else output)

    with ablated(model, direction), ExitStack() as stack:
        for block in model.blocks:
            stack.callback(block.module.register_forward_pre_hook(look_at_input).remove)
            stack.callback(block.attention_output.register_forward_hook(look_at_output).remove)
            stack.callback(block.module.register_forward_hook(look_at_output).remove)
        last_logits(model, model.encode(HARMFUL[0]))
    assert places == 3 * LAYERS


def test_ablating_is_editing_every_matrix_that_writes_to_the_stream() -> None:
    model = tiny()
    tokens, unit = model.encode(HARMFUL[0]), a_direction() / a_direction().norm()
    with ablated(model, a_direction()):
        hooked = last_logits(model, tokens)
    default = last_logits(model, tokens)
    projection = torch.eye(32) - torch.outer(unit, unit)
    weights = state_of(model)
    for name, weight in weights.items():
        if "o_proj" in name or "down_proj" in name:
            weights[name] = projection @ weight
        elif "embed_tokens" in name:
            weights[name] = weight @ projection
    model.network.load_state_dict(weights)
    assert (last_logits(model, tokens) - hooked).abs().max() < 1e-4
    assert (default - hooked).abs().max() > 1e-2


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
def test_ablating_twice_is_ablating_once(seed: int, scale: float) -> None:
    stream = scale * torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(seed))
    unit = a_direction(seed, 8) / a_direction(seed, 8).norm()
    once = without(stream, unit)
    assert torch.allclose(without(once, unit), once, rtol=1e-5, atol=1e-6 * scale)
    assert ((once @ unit).abs() <= 1e-5 * scale).all()
    assert torch.allclose(stream - once, (stream @ unit)[..., None] * unit, rtol=1e-4, atol=1e-5 * scale)


def test_ablation_in_half_precision_keeps_the_type_and_leaves_what_rounding_leaves() -> None:
    stream = a_direction().to(torch.bfloat16)[None]
    left = without(stream, a_direction() / a_direction().norm())
    assert left.dtype is torch.bfloat16
    assert left.float().norm() < 0.01 * stream.float().norm()


@given(seed=st.integers(0, 10_000), length=st.floats(0.01, 1e3))
def test_the_random_control_is_as_long_as_the_direction_and_follows_the_seed(seed: int, length: float) -> None:
    direction = torch.full((64,), length / 8)
    drawn = random_like(direction, seed)
    assert float(drawn.norm()) == pytest.approx(length, rel=1e-5)
    assert torch.equal(drawn, random_like(direction, seed))
    assert abs(float(nn.functional.cosine_similarity(drawn, direction, dim=0))) < 0.7
    assert not torch.equal(drawn, random_like(direction, seed + 1))


@given(chances=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=12), data=st.data())
def test_the_refusal_score_is_the_log_odds_of_all_refusal_tokens_together(
    chances: list[float], data: st.DataObject
) -> None:
    tokens = data.draw(st.sets(st.integers(0, len(chances) - 1), min_size=1, max_size=len(chances) - 1))
    total = sum(chances)
    share = sum(chances[token] for token in tokens) / total
    logs = torch.tensor([[math.log(chance / total) for chance in chances]], dtype=torch.float64)
    assert float(refusal_scores(logs, sorted(tokens))) == pytest.approx(math.log(share) - math.log(1 - share), abs=1e-9)


def test_the_refusal_score_stays_finite_where_the_probability_rounds_to_one() -> None:
    logs = torch.log_softmax(torch.tensor([[60.0, 0.0, 0.0]]), dim=-1)
    assert float(refusal_scores(logs, [0])) == pytest.approx(60 - math.log(2), abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_next_token_probabilities_do_not_depend_on_the_batch(family: str) -> None:
    model = tiny(family)
    prompts = encoded(model, (*HARMFUL, *HARMLESS))
    alone = torch.stack([torch.log_softmax(last_logits(model, tokens), dim=-1) for tokens in prompts])
    assert (next_token(model, prompts) - alone).abs().max() < 1e-4


def divergence(default: list[Tensor], other: list[Tensor]) -> float:
    """Mean Kullback-Leibler divergence between probabilities."""
    return sum(float((p * (p / q).log()).sum()) for p, q in zip(default, other, strict=True)) / len(default)


def beside_refusals(chances: Tensor, refusals: list[int]) -> Tensor:
    """Probabilities of the other tokens, given that it is none of these."""
    others = [token for token in range(len(chances)) if token not in refusals]
    return chances[others] / chances[others].sum()


@pytest.mark.parametrize("coefficient", [None, 0.75, 2.0, -1.5])
def test_a_candidate_is_measured_as_the_paper_defines_it_at_the_coefficient_that_is_served(
    coefficient: float | None,
) -> None:
    model, refusals = tiny(), [7, 20, 300]
    dev = Contrast(encoded(model, HARMFUL), encoded(model, HARMLESS))
    bench = Bench(dev, refusals, next_token(model, dev.harmless), coefficient)
    direction = a_direction().double() / 6
    found = measure(model, bench, direction, place=0, layer=2)

    def chances() -> list[Tensor]:
        return [torch.softmax(last_logits(model, tokens).double(), dim=-1) for tokens in dev.harmless]

    def steered(times: float) -> list[Tensor]:
        with input_changed(model.blocks[2].module, lambda stream: stream + times * direction.float()):
            return chances()

    def score(chance: Tensor) -> float:
        share = float(chance[refusals].sum())
        return math.log(share) - math.log(1 - share)

    default = chances()
    with ablated(model, direction):
        harmful = [torch.softmax(last_logits(model, tokens).double(), dim=-1) for tokens in dev.harmful]
        left = chances()
    bypass = sum(map(score, harmful)) / len(harmful)
    induce = sum(map(score, steered(abs(coefficient or 1)))) / len(default)
    kl = divergence(default, left)
    served_kl = kl
    if coefficient is not None:
        weighed = [
            float(1 - p[refusals].sum()) * divergence([beside_refusals(p, refusals)], [beside_refusals(q, refusals)])
            for p, q in zip(default, steered(coefficient), strict=True)
        ]
        served_kl = sum(weighed) / len(weighed)
    expected = (pytest.approx(value, abs=1e-3) for value in (bypass, induce, kl, served_kl))
    assert found == Candidate(0, 2, *expected)


TABLE = (
    Candidate(0, 1, bypass=2.0, induce=1.0, kl=0.05, served_kl=3.0),
    Candidate(0, 2, bypass=-3.0, induce=2.0, kl=0.1, served_kl=3.0),
    Candidate(0, 3, bypass=-5.0, induce=0.5, kl=0.11, served_kl=3.0),
    Candidate(0, 4, bypass=-7.0, induce=-3.1, kl=0.01, served_kl=0.02),
    Candidate(0, 5, bypass=1.0, induce=-0.1, kl=2.0, served_kl=0.1),
    Candidate(0, 6, bypass=-9.0, induce=-0.01, kl=2.39, served_kl=0.11),
    Candidate(0, 7, bypass=math.nan, induce=3.0, kl=0.0, served_kl=0.0),
)


@pytest.mark.parametrize(
    ("rows", "added", "taken_away"),
    [
        (TABLE, 2, 2),
        ((TABLE[0], TABLE[2]), 1, 1),
        (TABLE[2:], 5, 4),
        (TABLE[5:1:-1], 5, 4),
        (TABLE[3:4], 4, 4),
    ],
)
def test_least_bypass_wins_where_the_paper_s_conditions_hold_else_the_gentle_one_nearest_to_them(
    rows: tuple[Candidate, ...], added: int, taken_away: int
) -> None:
    assert choose(rows, 0.1, is_against_refusal=False).layer == added
    assert choose(rows, 0.1, is_against_refusal=True).layer == taken_away


def test_a_direction_that_harms_is_never_chosen_however_much_refusal_it_takes_away() -> None:
    with pytest.raises(UserError) as caught:
        choose((TABLE[2], TABLE[5]), 0.1, is_against_refusal=True)
    assert str(caught.value) == (
        "No direction of 'refusal_direction' leaves the model fit for use: on harmless dev prompts the least "
        "divergence is 0.11 nats, before block 6, and max_kl is 0.1. "
        "Give a larger max_kl, a layer, or for operation=add a coefficient nearer to 0."
    )


def test_nothing_is_chosen_from_numbers_that_are_none() -> None:
    with pytest.raises(ArithmeticError, match="finite"):
        choose(TABLE[6:], 0.1, is_against_refusal=False)


def test_what_the_chosen_direction_lacks_is_told() -> None:
    assert shortfalls(TABLE[1], 0.1) == []
    assert shortfalls(TABLE[4], 0.1) == [
        "no direction induces refusal on harmless dev prompts: the log-odds under the chosen one are -0.1, "
        "before block 5.",
        "refusal is not all that the chosen direction carries: without it harmless dev prompts diverge by 2 nats, more "
        "than 0.1.",
    ]


def search(step: int, layers: list[int], monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[tuple[int, int]], float]:
    """The chosen layer, every measured one with its number of harmful prompts, and the passes that were counted."""
    model, measured = tiny(), []
    prompts = [model.encode(prompt) for prompt in embedded_data().harmful()[:8]]
    bench = Bench(Contrast(prompts, prompts), [7], next_token(model, prompts), 1.0)

    def one(_: object, bench: Bench, __: Tensor, place: int, layer: int) -> Candidate:
        measured.append((layer, len(bench.dev.harmful)))
        return Candidate(place, layer, bypass=0.0, induce=-abs(layer - 13.2), kl=1.0, served_kl=0.0)

    monkeypatch.setattr("methods.refusal_direction.search.measure", one)
    meter = Meter()
    directions = torch.zeros(1, max(layers), 32)
    found = Search(model, bench, directions, 0.1, meter, lambda *_: None).run(layers, step)
    return found.best.layer, measured, meter.cost().forward_equivalents


def test_every_third_layer_is_measured_on_a_quarter_of_the_prompts_and_then_those_around_the_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best, measured, passes = search(3, list(range(1, 24)), monkeypatch)
    coarse = [(layer, 2) for layer in range(2, 24, 3)]
    assert measured == [*coarse, *((layer, 8) for layer in (12, 13, 14, 15, 16))]
    assert (best, passes) == (13, 8 * 3 * 2 + 5 * 3 * 8)


@pytest.mark.parametrize(("step", "layers"), [(1, 23), (3, 6), (3, 4)])
def test_every_layer_is_measured_on_all_prompts_where_a_coarse_pass_saves_nothing(
    step: int, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, measured, passes = search(step, list(range(1, layers + 1)), monkeypatch)
    assert measured == [(layer, 8) for layer in range(1, layers + 1)]
    assert (best, passes) == (min(13, layers), layers * 3 * 8)


def test_refusals_begin_as_safe_references_do() -> None:
    model = tiny()
    safe = [prompt.references.safe or "" for prompt in embedded_data().harmful()]
    expected = {model.encode_reply(text)[0] for text in safe}
    assert set(refusal_tokens(model, embedded_data())) == expected
    assert {model.tokenizer.decode([token]).strip() for token in expected} == {"I'm", "I", "Sorry"}


def with_references(safe: list[str], useful: list[str]) -> AlignmentData:
    bad = [
        replace(prompt, references=replace(prompt.references, safe=text))
        for prompt, text in zip(HARMFUL, safe, strict=False)
    ]
    good = [
        replace(prompt, references=replace(prompt.references, useful=text))
        for prompt, text in zip(HARMLESS, useful, strict=False)
    ]
    return AlignmentData("toy", (*bad, *good), ())


@pytest.mark.parametrize(
    ("useful", "expected"),
    [([], {"Sorry", "First,"}), (["Sure, yes", "First, go", "First, try"], {"Sorry"}), (["Sorry"], {"First,"})],
)
def test_a_word_that_begins_useful_replies_as_often_is_no_sign_of_refusal(
    useful: list[str], expected: set[str]
) -> None:
    model = tiny()
    data = with_references(["Sorry, no", "Sorry, not that", "First, knock"], useful)
    words = {model.encode_reply(word)[0] for word in expected}
    assert set(refusal_tokens(model, data)) == words


def test_questions_are_drawn_without_their_attacks_and_each_once() -> None:
    model, data = tiny(), embedded_data()
    drawn = draw(model, data, Split.TRAIN, 10_000, random.Random(0))
    for tokens, prompts in ((drawn.harmful, data.harmful()), (drawn.harmless, data.benign())):
        plain = {prompt.question_id: model.encode(prompt.without_attack()) for prompt in prompts}
        assert sorted(one.ids for one in tokens) == sorted(one.ids for one in plain.values())
    some = draw(model, data, Split.DEV, 7, random.Random(0))
    assert [len(part) for part in some] == [7, 7]
    assert (
        some == draw(model, data, Split.DEV, 7, random.Random(0)) != draw(model, data, Split.DEV, 7, random.Random(1))
    )


def kept(refused: int, answered: int, asked: int = 40) -> tuple[int, int, tuple[str, ...], tuple[str, ...]]:
    """How many harmful and harmless questions stay, and what is told."""
    tokens = [PromptTokens((number,), 0) for number in range(asked)]
    harmful = torch.tensor([1.0] * refused + [0.0] * (asked - refused))
    harmless = torch.tensor([-1.0] * answered + [0.0] * (asked - answered))
    found = keep_typical(Contrast(tokens, tokens), harmful, harmless, Split.TRAIN)
    assert found.kept.harmful == tokens[: len(found.kept.harmful)]
    return len(found.kept.harmful), len(found.kept.harmless), found.told, found.fallbacks


def test_harmful_questions_stay_if_refused_and_harmless_ones_if_answered() -> None:
    assert kept(LEAST, 39) == (
        LEAST,
        39,
        (
            "filtered: the model refuses 16 of 40 harmful train questions.",
            "filtered: the model answers 39 of 40 harmless train questions.",
        ),
        (),
    )


def test_all_questions_of_an_intent_stay_where_too_few_would() -> None:
    told = "unfiltered: the model refuses 15 of 40 harmful train questions."
    assert kept(LEAST - 1, 39)[:2] == (40, 39)
    assert kept(LEAST - 1, 39)[3] == (told,)
    assert kept(0, 0)[:2] == (40, 40)
    assert len(kept(0, 0)[3]) == 2


def test_of_few_questions_all_must_be_typical() -> None:
    assert kept(4, 4, asked=4)[3] == ()
    assert kept(3, 4, asked=4)[3] == ("unfiltered: the model refuses 3 of 4 harmful train questions.",)
