"""Tiny random chat models of six families, on the embedded tokenizer: three blocks, 32 wide, 48 neurons each."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from benchmarks.base import AlignmentData
from benchmarks.registry import load_alignment
from harness.embedded.tokenizer import build
from harness.transformers_model import TransformersModel
from methods.teacher_forcing import Pair, encode_pair

LAYERS, NEURONS = 3, 48
_IDS: dict[str, Any] = {"initializer_range": 0.2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_SIZES: dict[str, Any] = {
    **_IDS,
    "hidden_size": 32,
    "intermediate_size": NEURONS,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
_GPT2: dict[str, Any] = {**_IDS, "n_embd": 32, "n_inner": NEURONS, "n_layer": LAYERS, "n_head": 4, "n_positions": 512}

FAMILIES: dict[str, Callable[[int], PreTrainedModel]] = {
    "llama": lambda words: LlamaForCausalLM(LlamaConfig(vocab_size=words, **_SIZES)),
    "qwen2": lambda words: Qwen2ForCausalLM(Qwen2Config(vocab_size=words, **_SIZES)),
    "mistral": lambda words: MistralForCausalLM(MistralConfig(vocab_size=words, sliding_window=16, **_SIZES)),
    "gemma2": lambda words: Gemma2ForCausalLM(Gemma2Config(vocab_size=words, head_dim=8, sliding_window=16, **_SIZES)),
    "phi3": lambda words: Phi3ForCausalLM(Phi3Config(vocab_size=words, **_SIZES)),
    "gpt2": lambda words: GPT2LMHeadModel(GPT2Config(vocab_size=words, **_GPT2)),
}


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    return build()


def tiny(family: str = "llama", seed: int = 0) -> TransformersModel:
    """A new model of that family, in float32; the same seed gives the same weights."""
    torch.manual_seed(seed)
    return TransformersModel(f"tiny-{family}", FAMILIES[family](len(tokenizer())), tokenizer())


@cache
def embedded_data() -> AlignmentData:
    return load_alignment("embedded")


def attacked_and_plain(model: TransformersModel, response: str | None = None) -> tuple[Pair, Pair]:
    """An attacked question and the plain one, both with the same safe response."""
    prompt = next(prompt for prompt in embedded_data().train if prompt.attack and prompt.references.safe)
    text = response or prompt.references.safe or ""
    return encode_pair(model, prompt, text), encode_pair(model, prompt.without_attack(), text)
