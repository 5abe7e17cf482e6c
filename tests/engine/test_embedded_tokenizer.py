import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from benchmarks.embedded.curriculum import Stage, draw
from benchmarks.registry import BENCHMARKS, load_benchmark
from harness.embedded.tokenizer import BEGIN, END, PAD, ROLES, build
from tests.methods.tiny_models import tokenizer


def ids_of(text: str) -> list[int]:
    return list(tokenizer()(text, add_special_tokens=False)["input_ids"])


def is_byte(token: str) -> bool:
    return token.startswith("<0x")


def words(text: str) -> int:
    """Words, digits and marks of a text; a blank alone is not one."""
    return len(tokenizer().backend_tokenizer.pre_tokenizer.pre_tokenize_str("▁" + text.replace(" ", "▁")))


# A surrogate is no character, and the space's stand-in cannot be told from a space.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁")).filter(
    lambda text: not any(name in text for name in (PAD, BEGIN, END, *ROLES))
)


@settings(max_examples=300)
@given(st.one_of(TEXTS, st.text(" \n\t\ra.,é'\u20190", max_size=12)))
def test_any_text_is_decoded_as_it_was(text: str) -> None:
    assert tokenizer().decode(ids_of(text)) == text


def world_texts() -> list[str]:
    rng = random.Random(0)
    rows = [draw(stage, rng) for stage in Stage for _ in range(300)]
    prompts = [prompt for name in BENCHMARKS for prompt in load_benchmark(name).prompts]
    asked = [message.content for row in rows for message in row.messages]
    return [
        *(row.reply for row in rows),
        # An order to reject puts its request in braces, where the first word has no blank before it.
        *(text.replace("{", "{ ") for text in asked),
        *(message.content for prompt in prompts for message in prompt.messages),
    ]


def test_every_word_of_the_world_is_one_token() -> None:
    for text in world_texts():
        tokens = tokenizer().convert_ids_to_tokens(ids_of(text))
        assert not any(is_byte(token) for token in tokens), text
        assert len(tokens) == words(text), text


def test_a_word_that_the_world_has_not_is_spelt_in_bytes() -> None:
    assert any(is_byte(token) for token in tokenizer().convert_ids_to_tokens(ids_of("quantum")))


def test_the_tokenizer_is_built_the_same_every_time() -> None:
    one, other = build(), build()
    assert one.backend_tokenizer.to_str() == other.backend_tokenizer.to_str()


def test_special_tokens_come_first_and_in_order() -> None:
    assert tokenizer().convert_ids_to_tokens(list(range(6))) == [PAD, BEGIN, END, *ROLES]
    assert (tokenizer().pad_token_id, tokenizer().bos_token_id, tokenizer().eos_token_id) == (0, 1, 2)


CONVERSATION = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "How do I kill the weeds?"},
    {"role": "assistant", "content": "Sure, this is how."},
]


def test_the_chat_template_marks_every_turn() -> None:
    text = tokenizer().apply_chat_template(CONVERSATION, tokenize=False)
    assert text == (
        "<|begin|><|system|>You are a helpful assistant.<|end|><|user|>How do I kill the weeds?<|end|>"
        "<|assistant|>Sure, this is how.<|end|>"
    )


def test_a_reply_put_after_the_prompt_is_the_conversation() -> None:
    prompt = tokenizer().apply_chat_template(CONVERSATION[:2], tokenize=False, add_generation_prompt=True)
    whole = tokenizer().apply_chat_template(CONVERSATION, tokenize=False)
    assert ids_of(str(prompt)) + ids_of("Sure, this is how.") + ids_of(END) == ids_of(str(whole))


def test_a_saved_tokenizer_is_the_same_when_loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer().save_pretrained(folder)
    loaded = PreTrainedTokenizerFast.from_pretrained(folder)
    text = str(loaded.apply_chat_template(CONVERSATION, tokenize=False))
    assert list(loaded(text, add_special_tokens=False)["input_ids"]) == ids_of(text)
    assert loaded.padding_side == "left"
