import copy

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.base import Prompt
from harness.conformance import families
from harness.transformers_model import TransformersModel
from methods.neurontune.pinpointing import Neurons
from methods.neurontune.scaling import Scaling, scaled
from methods.teacher_forcing import (
    Batch,
    Pair,
    collate,
    encode_pair,
    mean_by_row,
    negative_log_likelihood,
    output_layer,
    reply_logits,
)
from tests.methods.literal_attribution import reply_predictions
from tests.methods.tiny_models import attacked_and_plain, embedded_data, tiny, tokenizer

WORDS = 49_152
CPU = torch.device("cpu")


def pairs() -> list[Pair]:
    """Prompts and replies of different lengths, the shortest reply one token long."""
    attacked, plain = attacked_and_plain(tiny())
    return [attacked, plain, Pair(plain.prompt[:9], plain.reply[:1]), Pair(attacked.prompt, attacked.reply[:7])]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_likelihood_in_a_batch_is_the_mean_over_each_reply_alone(family: str) -> None:
    model = tiny(family)
    with torch.no_grad():
        batch = collate(pairs(), model.device)
        found = negative_log_likelihood(reply_logits(model, batch), batch)
        for value, pair in zip(found.tolist(), pairs(), strict=True):
            rows = reply_predictions(model, pair).log_softmax(dim=1)
            chosen = [float(row[token]) for row, token in zip(rows, pair.reply, strict=True)]
            assert value == pytest.approx(-sum(chosen) / len(chosen), rel=1e-4)


def test_padding_stands_on_the_right() -> None:
    batch = collate(pairs(), CPU)
    for row, pair in zip(batch.ids.tolist(), pairs(), strict=True):
        whole = [*pair.prompt, *pair.reply]
        assert row == whole + [0] * (len(row) - len(whole))


def test_every_reply_token_is_predicted_from_the_token_before_it() -> None:
    batch = collate(pairs(), CPU)
    assert torch.equal(batch.ids[batch.rows, batch.columns + 1], batch.targets)
    assert batch.targets.tolist() == [token for pair in pairs() for token in pair.reply]


def test_the_output_layer_runs_at_reply_positions_only_and_no_mask_is_given() -> None:
    model = tiny()
    given: list[dict[str, Tensor]] = []
    seen: list[torch.Size] = []
    handles = [
        model.network.register_forward_pre_hook(lambda _, __, kwargs: given.append(kwargs), with_kwargs=True),
        output_layer(model.network).register_forward_hook(lambda _, args, __: seen.append(args[0].shape[:2])),
    ]
    batch = collate(pairs(), model.device)
    assert len(reply_logits(model, batch)) == len(batch.targets)
    for handle in handles:
        handle.remove()
    assert seen == [(1, sum(len(pair.reply) for pair in pairs()))]
    assert "attention_mask" not in given[0]
    assert not output_layer(model.network)._forward_pre_hooks


def test_a_reply_beyond_the_limit_is_cut_and_its_prompt_is_not() -> None:
    model = tiny()
    prompt: Prompt = next(prompt for prompt in embedded_data().train if prompt.references.safe)
    whole = encode_pair(model, prompt, prompt.references.safe or "")
    assert encode_pair(model, prompt, prompt.references.safe or "", 3) == Pair(whole.prompt, whole.reply[:3])
    assert encode_pair(model, prompt, prompt.references.safe or "", 999) == whole


def test_over_a_large_vocabulary_the_loss_is_that_of_float64() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.tensor([0] * 40 + [1] * 30)
    targets = torch.randint(WORDS, (70,), generator=generator)
    batch = Batch(torch.zeros(2, 50, dtype=torch.long), rows, rows, targets)
    logits = 4 * torch.randn(70, WORDS, generator=generator)
    exact = torch.nn.functional.cross_entropy(logits.double(), targets, reduction="none")
    wanted = mean_by_row(exact, batch)
    found = negative_log_likelihood(logits, batch)
    assert found.dtype == torch.float32
    assert (found.double() - wanted).abs().max() < 2e-6 * wanted.abs().max()


def test_over_a_large_vocabulary_gradients_by_factors_are_those_of_float64() -> None:
    model = wide()
    exact = TransformersModel("exact", copy.deepcopy(wide().network).double(), tokenizer())
    found, wanted = factor_gradients(model), factor_gradients(exact)
    assert wanted.abs().min() > 0
    assert (found.double() - wanted).abs().max() < 2e-6 * wanted.abs().max()


def wide() -> TransformersModel:
    """Two blocks under a vocabulary as large as a real one's."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
    )
    network = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 2:
                parameter.mul_(6)
    return TransformersModel("wide", network, tokenizer())


def factor_gradients(model: TransformersModel) -> Tensor:
    """Of the mean loss over the pairs, by the factors of six neurons."""
    neurons = Neurons(torch.tensor([0, 0, 1, 1, 1, 0]), torch.tensor([1, 5, 8, 13, 21, 34]))
    nobody = Neurons(torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long))
    factors = torch.full((6,), 1.2, requires_grad=True)
    batch = collate(pairs(), model.device)
    with scaled(model, Scaling(neurons, nobody, factors, torch.ones(0))):
        logits = reply_logits(model, batch)
        losses = (
            negative_log_likelihood(logits, batch)
            if logits.dtype == torch.float32
            else mean_by_row(nn.functional.cross_entropy(logits, batch.targets, reduction="none"), batch)
        )
    (gradient,) = torch.autograd.grad(losses.mean(), factors)
    return gradient
