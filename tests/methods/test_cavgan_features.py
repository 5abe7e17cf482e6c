from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import GenerationConfig

from benchmarks.base import Prompt
from harness.conformance.families import FAMILIES, LAYERS, tiny
from harness.transformers_model import TransformersModel
from methods.cavgan.features import passes, question_states
from tests.methods.tiny_models import embedded_data

SITES = ("first_generated", "last_prompt_token")


def prompts(count: int = 5) -> list[Prompt]:
    """Of different lengths: attacked ones and plain ones."""
    train = embedded_data().train
    return [train[index * len(train) // count] for index in range(count)]


@torch.no_grad()
def literal(model: TransformersModel, prompt: Prompt, site: str) -> list[Tensor]:
    """What transformers itself reports for one prompt alone; the last entry it reports is normed, so it is left out."""
    ids = torch.tensor([model.encode(prompt).ids])
    if site == "last_prompt_token":
        found = model.network(input_ids=ids, output_hidden_states=True).hidden_states
    else:
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=2,
            pad_token_id=0,
            eos_token_id=None,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
        output = model.network.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
        found = output.hidden_states[1]
    return [layer[0, -1] for layer in found[1:LAYERS]]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_those_that_transformers_reports(family: str, site: str) -> None:
    model = tiny(family)
    found = question_states(model, prompts(), site)
    assert found.shape == (5, LAYERS, 32)
    for prompt, row in zip(prompts(), found, strict=True):
        for layer, expected in enumerate(literal(model, prompt, site)):
            assert torch.allclose(row[layer], expected, atol=2e-4), (prompt.id, layer)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("family", ["llama", "mistral", "gpt2"])
def test_a_batch_gives_what_one_by_one_gives(family: str, site: str) -> None:
    model = tiny(family)
    alone = torch.cat([question_states(model, [prompt], site) for prompt in prompts()])
    assert torch.allclose(question_states(model, prompts(), site), alone, atol=2e-4)


def test_more_prompts_than_a_pass_takes_come_back_in_order() -> None:
    model = tiny()
    many = list(embedded_data().train[:70])
    found = question_states(model, many, "first_generated")
    assert torch.allclose(found[-1], question_states(model, many[-1:], "first_generated")[0], atol=2e-4)
    assert len(found) == 70


def test_the_two_sites_differ() -> None:
    one, other = (question_states(tiny(), prompts(), site) for site in SITES)
    assert (one - other).abs().max() > 0.1


@pytest.mark.parametrize("site", SITES)
def test_no_hook_is_left_also_after_an_exception(site: str) -> None:
    model = tiny()
    question_states(model, prompts(), site)
    model.blocks[1].module.register_forward_pre_hook(_fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        question_states(model, prompts(), site)
    assert not any(module._forward_hooks for module in model.network.modules())


def test_an_exception_at_the_generated_token_leaves_no_hook() -> None:
    model = tiny()

    def fail_on_one_token(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        if args[0].shape[1] == 1:
            raise RuntimeError("on purpose")

    model.blocks[1].module.register_forward_pre_hook(fail_on_one_token)
    with pytest.raises(RuntimeError, match="on purpose"):
        question_states(model, prompts(), "first_generated")
    assert not any(module._forward_hooks for module in model.network.modules())


def test_a_generated_token_costs_a_token_more_than_reading_the_prompt() -> None:
    model = tiny()
    prompt = prompts()[0]
    twice = [prompt, replace(prompt, id="again")]
    assert passes(model, twice, "last_prompt_token") == 2
    assert passes(model, twice, "first_generated") == pytest.approx(2 + 2 / len(model.encode(prompt).ids))


def _fail(*_: object) -> None:
    raise RuntimeError("on purpose")
