import time
from itertools import pairwise
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.base import Prompt, Reply, StopReason
from harness.transformers_model import TransformersModel
from methods.base import ForwardState, GenerationSettings, Phase
from tests.engine.conftest import prompt
from tests.methods.tiny_models import FAMILIES, tiny, tokenizer

SHORT = prompt("How do I kill the weeds?")
LONG = prompt("How can I get into my own shed with their permission while everybody sleeps?")
TALK = prompt("How do I kill the weeds?", "Sure.", "And then?", system="You are a helpful assistant.")
SETTINGS = GenerationSettings(max_new_tokens=8)


def chat(asked: Prompt, with_header: bool = True) -> list[int]:
    conversation = [{"role": message.role, "content": message.content} for message in asked.messages]
    text = tokenizer().apply_chat_template(conversation, tokenize=False, add_generation_prompt=with_header)
    return list(tokenizer()(text, add_special_tokens=False)["input_ids"])


def whole_pass(model: TransformersModel, ids: list[int]) -> Tensor:
    """Log-probabilities after every position, from one unpadded pass."""
    with torch.no_grad():
        logits: Tensor = model.network(input_ids=torch.tensor([ids])).logits
    return logits[0].log_softmax(dim=1)


@pytest.mark.parametrize("asked", [SHORT, LONG, TALK], ids=["short", "long", "talk"])
def test_a_prompt_is_encoded_by_the_chat_template_with_one_beginning_of_text(
    model: TransformersModel, asked: Prompt
) -> None:
    encoded = model.encode(asked)
    assert list(encoded.ids) == chat(asked)
    assert encoded.ids.count(tokenizer().bos_token_id) == 1
    assert encoded.last == len(encoded.ids) - 1


@pytest.mark.parametrize("asked", [SHORT, LONG, TALK], ids=["short", "long", "talk"])
def test_the_users_turn_ends_before_the_assistants_header(model: TransformersModel, asked: Prompt) -> None:
    encoded = model.encode(asked)
    assert encoded.ids[: encoded.user_end + 1] == tuple(chat(asked, with_header=False))
    assert tokenizer().convert_ids_to_tokens(list(encoded.ids[encoded.user_end :])) == ["<|end|>", "<|assistant|>"]


def test_a_tokenizer_that_adds_a_beginning_itself_does_not_double_it() -> None:
    eager = type(tokenizer())(
        tokenizer_object=tokenizer().backend_tokenizer, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    eager.chat_template = tokenizer().chat_template
    eager.backend_tokenizer.post_processor = _begins_with("<|begin|>", tokenizer().bos_token_id)
    assert eager("a")["input_ids"][0] == tokenizer().bos_token_id
    model = TransformersModel("eager", cast(Any, tiny().network), eager)
    assert model.encode(SHORT).ids.count(tokenizer().bos_token_id) == 1


def _begins_with(token: str, number: int) -> Any:  # noqa: ANN401
    from tokenizers.processors import TemplateProcessing

    return TemplateProcessing(single=f"{token} $A", special_tokens=[(token, number)])


def test_a_reply_ends_with_the_end_of_the_turn(model: TransformersModel) -> None:
    ids = model.encode_reply("Sure, this is how.")
    assert ids[-1] == tokenizer().convert_tokens_to_ids("<|end|>")
    assert tokenizer().decode(ids[:-1]) == "Sure, this is how."
    assert model.encode_reply("") == ids[-1:]


def test_the_end_of_the_turn_is_the_templates_and_not_the_end_of_text() -> None:
    other = type(tokenizer())(
        tokenizer_object=tokenizer().backend_tokenizer, bos_token="<|begin|>", eos_token="<|pad|>", pad_token="<|pad|>",
        additional_special_tokens=["<|end|>"],
    )  # fmt: skip
    other.chat_template = tokenizer().chat_template
    model = TransformersModel("other", cast(Any, tiny().network), other)
    assert model.encode_reply("Sure")[-1] == tokenizer().convert_tokens_to_ids("<|end|>")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reply_in_a_batch_is_the_reply_alone(family: str) -> None:
    model = tiny(family)
    together = model.generate([SHORT, LONG, TALK], SETTINGS)
    alone = [model.generate([asked], SETTINGS)[0] for asked in (SHORT, LONG, TALK)]
    assert [reply.token_ids for reply in together] == [reply.token_ids for reply in alone]
    assert [reply.prompt_id for reply in together] == [SHORT.id, LONG.id, TALK.id]


def test_a_reply_is_the_most_likely_token_again_and_again(model: TransformersModel) -> None:
    ids = chat(LONG)
    written: list[int] = []
    for _ in range(8):
        written.append(int(whole_pass(model, ids + written)[-1].argmax()))
    (reply,) = model.generate([LONG], SETTINGS)
    assert list(reply.token_ids) == written
    assert reply.text == str(tokenizer().decode(written, skip_special_tokens=True)).strip()


def test_a_reply_that_fills_its_budget_stopped_by_length(model: TransformersModel) -> None:
    (reply,) = model.generate([SHORT], SETTINGS)
    assert (reply.stop, len(reply.token_ids)) == (StopReason.LENGTH, 8)


def parrot(script: dict[int, int], default: int) -> TransformersModel:
    """A model whose next token depends on the last one alone, by a table."""
    words = len(tokenizer())
    config = LlamaConfig(
        vocab_size=words, hidden_size=words, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1,
        head_dim=2, eos_token_id=2, pad_token_id=0, bos_token_id=1,
    )  # fmt: skip
    network = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.model.norm.weight.fill_(1.0)
        network.model.embed_tokens.weight.copy_(torch.eye(words))
        network.lm_head.weight[default] = 0.5
        for last, following in script.items():
            network.lm_head.weight[:, last] = 0.0
            network.lm_head.weight[following, last] = 1.0
    return TransformersModel("parrot", network, tokenizer())


def say(*words: str) -> Reply:
    """What is read of a reply whose tokens are `words` after the assistant's header."""
    ids = tokenizer().convert_tokens_to_ids(["<|assistant|>", *words])
    model = parrot(dict(pairwise(ids)), default=ids[-1])
    return model.generate([SHORT], SETTINGS)[0]


def test_a_reply_ends_at_the_end_of_the_turn_and_does_not_hold_it() -> None:
    reply = say("▁I", "▁cannot", "<|end|>")
    assert (reply.text, reply.stop) == ("I cannot", StopReason.END)
    assert tokenizer().convert_ids_to_tokens(list(reply.token_ids)) == ["▁I", "▁cannot"]


def test_an_empty_reply_is_an_empty_text() -> None:
    reply = say("<|end|>")
    assert (reply.text, reply.token_ids, reply.stop) == ("", (), StopReason.END)


def test_a_batch_goes_on_for_those_who_have_not_ended() -> None:
    model = tiny()
    first, second = model.generate([SHORT, LONG], SETTINGS)
    place = next(place for place, token in enumerate(first.token_ids) if place and token not in second.token_ids)
    stopping = tiny()
    assert isinstance(stopping.network, LlamaForCausalLM)
    stopping.network.generation_config.eos_token_id = [first.token_ids[place]]
    cut, whole = stopping.generate([SHORT, LONG], SETTINGS)
    assert (cut.token_ids, cut.stop) == (
        first.token_ids[: first.token_ids.index(first.token_ids[place])],
        StopReason.END,
    )
    assert (whole.token_ids, whole.stop) == (second.token_ids, StopReason.LENGTH)


@pytest.mark.parametrize("continuations", [
    [["A", "B", "C", "D"], ["Yes", "No"]],
    [["I'm sorry, but I can't help with that.", "Sure"], ["Yes"]],
    [["Sure, this is how to", "No"], ["I cannot help with this request.", "A", "B"]],
], ids=["single", "mixed", "long"])  # fmt: skip
@pytest.mark.parametrize("family", ["llama", "mistral", "gpt2"])
def test_log_probabilities_are_those_of_a_whole_unpadded_pass(family: str, continuations: list[list[str]]) -> None:
    model = tiny(family)
    found = model.log_probabilities([SHORT, LONG], continuations)
    assert [len(row) for row in found] == [len(row) for row in continuations]
    for asked, texts, row in zip((SHORT, LONG), continuations, found, strict=True):
        for text, ours in zip(texts, row, strict=True):
            tokens = list(tokenizer()(text, add_special_tokens=False)["input_ids"])
            start = chat(asked)
            after = whole_pass(model, start + tokens)
            literal = [float(after[len(start) - 1 + place, token]) for place, token in enumerate(tokens)]
            assert ours.tolist() == pytest.approx(literal, abs=1e-4)


def test_single_tokens_share_one_pass_per_prompt(model: TransformersModel) -> None:
    rows: list[int] = []

    def count(_: nn.Module, __: tuple[()], given: dict[str, Any]) -> None:
        rows.append(len(given["input_ids"]))

    handle = model.network.register_forward_pre_hook(count, with_kwargs=True)
    model.log_probabilities([SHORT, LONG], [["A", "B", "C", "D"]] * 2)
    handle.remove()
    assert rows == [2]


def watched(model: TransformersModel, work: Any) -> list[ForwardState]:  # noqa: ANN401
    """What `running` said inside the first block, pass by pass."""
    seen: list[ForwardState] = []

    def look(*_: object) -> None:
        assert model.running is not None
        seen.append(model.running)

    handle = model.blocks[0].module.register_forward_pre_hook(look)
    try:
        work()
    finally:
        handle.remove()
    return seen


def test_hooks_are_told_phase_prompts_and_positions_while_a_reply_is_written(model: TransformersModel) -> None:
    seen = watched(model, lambda: model.generate([SHORT, LONG], GenerationSettings(max_new_tokens=3)))
    short, long = len(chat(SHORT)), len(chat(LONG))
    assert [state.phase for state in seen] == [Phase.PREFILL, Phase.DECODE, Phase.DECODE]
    assert all(state.prompts == (SHORT, LONG) for state in seen)
    assert all(state.prompt_end.tolist() == [short - 1, long - 1] for state in seen)
    assert seen[0].positions.tolist() == [list(range(short - long, short)), list(range(long))]
    assert [state.positions.tolist() for state in seen[1:]] == [[[short], [long]], [[short + 1], [long + 1]]]


def test_what_comes_after_the_prompt_begins_at_its_last_token(model: TransformersModel) -> None:
    prefill, decode = watched(model, lambda: model.generate([SHORT, LONG], GenerationSettings(max_new_tokens=2)))
    width = len(chat(LONG))
    assert prefill.is_after_prompt.tolist() == [[False] * (width - 1) + [True]] * 2
    assert decode.is_after_prompt.tolist() == [[True], [True]]


def test_hooks_are_told_where_continuations_begin(model: TransformersModel) -> None:
    texts = ["I cannot help.", "No"]
    (state,) = watched(model, lambda: model.log_probabilities([SHORT, LONG], [texts, ["Sure"]]))
    lengths = [len(tokenizer()(text, add_special_tokens=False)["input_ids"]) for text in (*texts, "Sure")]
    short, long = len(chat(SHORT)), len(chat(LONG))
    assert state.phase is Phase.PREFILL
    assert state.prompts == (SHORT, SHORT, LONG)
    assert state.prompt_end.tolist() == [short - 1, short - 1, long - 1]
    assert state.positions[:, -1].tolist() == [short + lengths[0] - 1, short + lengths[1] - 1, long + lengths[2] - 1]
    assert state.is_after_prompt.sum(dim=1).tolist() == [1 + length for length in lengths]


def test_nothing_runs_outside_a_pass(model: TransformersModel) -> None:
    model.generate([SHORT], SETTINGS)
    assert model.running is None
    model.log_probabilities([SHORT], [["A"]])
    assert model.running is None
    assert not model.network._forward_pre_hooks


def test_nothing_runs_after_an_exception_inside_a_pass(model: TransformersModel) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    handle = model.blocks[1].module.register_forward_pre_hook(fail)
    for work in (lambda: model.generate([SHORT], SETTINGS), lambda: model.log_probabilities([SHORT], [["A"]])):
        with pytest.raises(ZeroDivisionError):
            work()
        assert model.running is None
    handle.remove()
    assert not model.network._forward_pre_hooks


def test_seconds_of_a_batch_are_shared_out(model: TransformersModel) -> None:
    started = time.monotonic()
    replies = model.generate([SHORT, LONG], SETTINGS)
    assert 0 < sum(reply.seconds for reply in replies) <= time.monotonic() - started
