"""What is reckoned before a run against what is taken, on a small random model with a vocabulary of a real size."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from harness.base import ModelSpec
from harness.memory import TRAINING_TOKENS, Batch, Memory, estimate
from methods.blocks import find_blocks
from methods.peak_memory import PeakMemory

CONFIG = LlamaConfig(
    vocab_size=50_000,
    hidden_size=192,
    intermediate_size=512,
    num_hidden_layers=6,
    num_attention_heads=6,
    num_key_value_heads=3,
    max_position_embeddings=2048,
)


@cache
def network() -> PreTrainedModel:
    torch.manual_seed(0)
    found: PreTrainedModel = LlamaForCausalLM(CONFIG).eval().requires_grad_(False)
    return found


def reckoned(batch: Batch) -> Memory:
    return estimate(CONFIG, ModelSpec("m"), torch.float32, batch)


def ids(batch: Batch, length: int) -> Tensor:
    return torch.randint(3, CONFIG.vocab_size, (batch.rows, length), generator=torch.Generator().manual_seed(0))


def taken(work: Callable[[], object]) -> int:
    work()  # what is made once and kept, as the threads of a library, is no part of a pass
    memory = PeakMemory()
    work()
    return memory.growth()


def written(batch: Batch) -> None:
    network().generate(  # type: ignore[operator]
        input_ids=ids(batch, batch.prompt_tokens), max_new_tokens=batch.reply_tokens, do_sample=False, eos_token_id=None
    )


@torch.no_grad()
def scored(batch: Batch) -> None:
    whole = ids(batch, batch.prompt_tokens + batch.reply_tokens)
    output = network()(input_ids=whole, use_cache=False, logits_to_keep=batch.reply_tokens + 1)
    torch.log_softmax(output.logits.float(), dim=-1)


def tuned(batch: Batch) -> None:
    """Gradients by a factor on every neuron, with the output layer at reply positions only."""
    blocks, kept = find_blocks(network()), batch.reply_tokens + 1
    factors = [torch.ones(CONFIG.intermediate_size, requires_grad=True) for _ in blocks]
    handles = [
        block.dense.down_projection.register_forward_pre_hook(lambda _, inputs, by=factor: (inputs[0] * by,))
        for block, factor in zip(blocks, factors, strict=True)
    ]
    whole = ids(batch, batch.prompt_tokens + batch.reply_tokens)
    logits = network()(input_ids=whole, use_cache=False, logits_to_keep=kept).logits[:, :-1]
    loss = cross_entropy(logits.float().flatten(0, 1), whole[:, batch.prompt_tokens :].flatten())
    torch.autograd.grad(loss, factors)
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize(("prompt", "reply"), [(512, 8), (128, 64)])
def test_a_batch_of_replies_takes_within_twofold_of_what_is_reckoned(prompt: int, reply: int) -> None:
    batch = Batch(rows=16, prompt_tokens=prompt, reply_tokens=reply, has_gradients=False)
    assert 0.5 < reckoned(batch).generation / taken(lambda: written(batch)) < 2


@pytest.mark.parametrize(("prompt", "reply"), [(64, 32), (512, 1)])
def test_scoring_takes_within_twofold_of_what_is_reckoned(prompt: int, reply: int) -> None:
    batch = Batch(rows=16, prompt_tokens=prompt, reply_tokens=reply, has_gradients=False)
    assert 0.5 < reckoned(batch).scoring / taken(lambda: scored(batch)) < 2


@pytest.mark.parametrize(("prompt", "reply"), [(32, 32), (120, 8), (1000, 24)])
def test_a_pass_with_gradients_takes_within_twofold_of_what_is_reckoned(prompt: int, reply: int) -> None:
    batch = Batch(TRAINING_TOKENS // (prompt + reply), prompt, reply, has_gradients=True)
    assert 0.5 < reckoned(batch).training / taken(lambda: tuned(batch)) < 2
