import pytest
import torch
from torch import nn
from transformers import MixtralConfig, MixtralForCausalLM

from benchmarks.errors import UserError
from methods.blocks import find_blocks
from tests.methods.tiny_models import FAMILIES, LAYERS, NEURONS, attacked_and_plain, tiny

PARTS = {  # attention output, down-projection, axis of neurons; as the families' own sources name them
    "llama": ("model.layers.{}", "self_attn.o_proj", "mlp.down_proj", 1),
    "qwen2": ("model.layers.{}", "self_attn.o_proj", "mlp.down_proj", 1),
    "mistral": ("model.layers.{}", "self_attn.o_proj", "mlp.down_proj", 1),
    "gemma2": ("model.layers.{}", "self_attn.o_proj", "mlp.down_proj", 1),
    "phi3": ("model.layers.{}", "self_attn.o_proj", "mlp.down_proj", 1),
    "gpt2": ("transformer.h.{}", "attn.c_proj", "mlp.c_proj", 0),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parts_of_every_block_are_found(family: str) -> None:
    network = tiny(family).network
    path, attention, down, axis = PARTS[family]
    blocks = find_blocks(network)
    assert [block.index for block in blocks] == list(range(LAYERS))
    for block in blocks:
        assert block.module is network.get_submodule(path.format(block.index))
        assert block.attention_output is block.module.get_submodule(attention)
        assert block.dense.down_projection is block.module.get_submodule(down)
        assert block.dense.down_weight == f"{path.format(block.index)}.{down}.weight"
        assert (block.dense.neurons, block.dense.neuron_axis) == (NEURONS, axis)
        assert network.state_dict()[block.dense.down_weight].shape[axis] == NEURONS


@pytest.mark.parametrize("family", FAMILIES)
def test_the_input_of_the_down_projection_has_one_value_a_neuron(family: str) -> None:
    model = tiny(family)
    pair, _ = attacked_and_plain(model)
    shapes: list[torch.Size] = []
    for block in model.blocks:
        block.dense.down_projection.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    model.network(input_ids=torch.tensor([pair.prompt]))
    assert shapes == [(1, len(pair.prompt), NEURONS)] * LAYERS


def no_blocks(name: str) -> str:
    return (
        f"No decoder blocks with a dense feed-forward part found in {name}. "
        "Methods that edit neurons need one; Llama, Qwen2, Mistral, Gemma, Phi-3 and GPT-2 have it."
    )


def test_a_mixture_of_experts_is_refused() -> None:
    config = MixtralConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=4,
    )  # fmt: skip
    with pytest.raises(UserError) as caught:
        find_blocks(MixtralForCausalLM(config))
    assert str(caught.value) == no_blocks("MixtralForCausalLM")


class AttentionOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict({"attention": nn.Linear(4, 4)}) for _ in range(3))


def test_a_network_without_feed_forward_parts_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        find_blocks(AttentionOnly())
    assert str(caught.value) == no_blocks("AttentionOnly")
