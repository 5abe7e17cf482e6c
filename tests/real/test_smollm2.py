import pytest

from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from metrics.degenerate import flaw
from tests.engine.conftest import prompt

pytestmark = pytest.mark.real


def test_it_has_the_shape_that_its_card_tells(smollm2: TransformersModel) -> None:
    assert [block.dense.neurons for block in smollm2.blocks] == [1536] * 30
    assert sum(weight.numel() for weight in smollm2.network.parameters()) == 134_515_008


def test_its_template_writes_a_system_turn_and_its_end_token_ends_replies(smollm2: TransformersModel) -> None:
    text = smollm2.tokenizer.decode(smollm2.encode(prompt("Hi")).ids)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert smollm2.tokenizer.decode(smollm2.encode_reply("Hi")) == "Hi<|im_end|>"


def test_it_speaks_english_and_to_the_point(smollm2: TransformersModel) -> None:
    (reply,) = smollm2.generate([prompt("What is the capital of France?")], GenerationSettings(24))
    assert "Paris" in reply.text
    assert not flaw(reply.text)


def test_replies_do_not_depend_on_the_batch(smollm2: TransformersModel) -> None:
    asked = [prompt("Name a colour."), prompt("Write two sentences about the sea and one about the mountains.")]
    together = smollm2.generate(asked, GenerationSettings(16))
    alone = [smollm2.generate([one], GenerationSettings(16))[0] for one in asked]
    assert [reply.token_ids for reply in together] == [reply.token_ids for reply in alone]
