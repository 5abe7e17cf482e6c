"""Every family of decoders: what is edited and added on `transformers` acts in vLLM."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from benchmarks.registry import load_benchmark
from harness.base import ModelSpec
from harness.conformance.families import tokenizer
from harness.serving import serving
from harness.vllm_engine import VllmEngine
from methods.base import Block, ChatModel, GenerationSettings
from methods.residual import added

pytestmark = pytest.mark.vllm

WIDTH = 64
IDS: dict[str, Any] = {"initializer_range": 0.2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES: dict[str, Any] = {  # heads of 32: the narrowest that vLLM has on a CPU
    **IDS,
    "vocab_size": len(tokenizer()) + 8,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
GPT2: dict[str, Any] = {"n_embd": WIDTH, "n_inner": 48, "n_layer": 3, "n_head": 2, "n_positions": 512}
EXPERTS: dict[str, Any] = {"moe_intermediate_size": 48, "num_experts": 4, "num_experts_per_tok": 2}
FAMILIES: Mapping[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(head_dim=32, **SIZES)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(sliding_window=16, **SIZES)),
    "gemma": lambda: GemmaForCausalLM(GemmaConfig(head_dim=32, **SIZES)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(head_dim=32, sliding_window=16, **SIZES)),
    "phi3": lambda: Phi3ForCausalLM(Phi3Config(**SIZES)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=SIZES["vocab_size"], **GPT2, **IDS)),
    "mixtral": lambda: MixtralForCausalLM(MixtralConfig(num_local_experts=4, **SIZES)),
    "qwen3_moe": lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(head_dim=32, mlp_only_layers=[0], **EXPERTS, **SIZES)),
}
PROMPTS = load_benchmark("embedded_benign").prompts[:8]
SETTINGS = GenerationSettings(max_new_tokens=16)
TEXTS = [["I will not help ."]] * len(PROMPTS)
ROUNDING = {"gemma2": 5e-3}  # its capped scores are rounded elsewhere


class Noise:
    """Edits the attention of one block, of which every family has one."""

    def fold(self, weights: Mapping[str, Tensor], _: Sequence[Block]) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        chosen = {name: one for name, one in weights.items() if ".1." in name and "attn" in name}
        return {name: one + 0.1 * torch.randn(one.shape, generator=rng) for name, one in chosen.items()}

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        from methods.editing import edited

        with edited(model.network, self.fold(dict(model.network.named_parameters()), model.blocks)):
            yield model


class Push:
    """Adds to the residual stream where a reply begins, and after."""

    @contextmanager
    def applied(self, model: ChatModel) -> Iterator[ChatModel]:
        vector = 2 * torch.randn(WIDTH, generator=torch.Generator().manual_seed(1))
        with added(model, {1: vector}, lambda state: state.is_after_prompt):
            yield model


def numbers(model: ChatModel) -> Tensor:
    return torch.stack([row[0] for row in model.log_probabilities(PROMPTS, TEXTS)])


@pytest.mark.parametrize("family", FAMILIES)
def test_edits_and_additions_of_every_family_act_in_vllm(family: str, tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed; make test-vllm installs it")
    torch.manual_seed(0)
    FAMILIES[family]().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    model = VllmEngine().load(ModelSpec(str(tmp_path), device="cpu"))
    plain = numbers(model)
    for arm in cast(list[Any], [Noise(), Push()]):
        with serving(arm, model) as protected:
            ours, said = numbers(protected), protected.generate(PROMPTS, SETTINGS)
        with arm.applied(model.local) as protected:
            theirs, expected = numbers(protected), protected.generate(PROMPTS, SETTINGS)
        assert (ours - theirs).abs().max() < ROUNDING.get(family, 1e-4)
        assert [one.token_ids for one in said] == [one.token_ids for one in expected]
        assert (ours - plain).abs().max() > 0.01
    assert torch.equal(numbers(model), plain)
    model.close()
