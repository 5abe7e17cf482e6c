from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from benchmarks.base import StopReason
from benchmarks.errors import UserError
from harness.embedded.tokenizer import CHAT_TEMPLATE, build
from harness.prompting import Prompting
from harness.records import reply_from_json, reply_to_json
from harness.template_facts import TemplateFacts, template_facts
from harness.thoughts import MARKS, left_open, without_thinking
from tests.engine.chat_templates import GEMMA, LLAMA, MISTRAL, PHI3, QWEN2, QWEN3, SHAPES, Shape, tokenizer_of
from tests.engine.conftest import prompt


def shapes(*, with_system: bool = False) -> Any:  # noqa: ANN401
    chosen = [name for name, shape in SHAPES.items() if shape.with_system or not with_system]
    return pytest.mark.parametrize("shape", [SHAPES[name] for name in chosen], ids=chosen)


def text_of(prompting: Prompting, ids: Iterable[int]) -> str:
    return str(prompting.tokenizer.decode(list(ids)))


def facts(shape: Shape, system: str | None = None) -> TemplateFacts:
    return template_facts("m", Prompting(tokenizer_of(shape), system))


def error_of(template: str | None, system: str | None = None) -> str:
    tokenizer = build()
    tokenizer.chat_template = template
    with pytest.raises(UserError) as caught:
        template_facts("m", Prompting(tokenizer, system))
    return str(caught.value)


@shapes()
def test_a_question_is_written_as_the_template_writes_it_to_the_token(shape: Shape) -> None:
    prompting = Prompting(tokenizer_of(shape))
    assert list(prompting.encode(prompt("Q")).ids) == prompting.tokens(shape.asked)


@shapes(with_system=True)
def test_a_system_prompt_is_the_system_turn_of_every_prompt(shape: Shape) -> None:
    prompting = Prompting(tokenizer_of(shape), system="S")
    assert list(prompting.encode(prompt("Q")).ids) == prompting.tokens(shape.with_system)
    assert prompting.encode(prompt("Q")) == Prompting(tokenizer_of(shape)).encode(prompt("Q", system="S"))


def test_a_system_prompt_stands_before_a_prompts_own_system_turn() -> None:
    both = Prompting(tokenizer_of(QWEN3), system="Be kind.").encode(prompt("Q", system="Be brief."))
    assert both == Prompting(tokenizer_of(QWEN3)).encode(prompt("Q", system="Be kind.\n\nBe brief."))


def test_an_empty_system_prompt_silences_what_the_template_would_say() -> None:
    prompting = Prompting(tokenizer_of(QWEN2), system="")
    assert list(prompting.encode(prompt("Q")).ids) == prompting.tokens(QWEN2.with_system.replace("S", ""))
    alone = prompting.encode(prompt("Q", system="Be brief."))
    assert alone == Prompting(tokenizer_of(QWEN2)).encode(prompt("Q", system="Be brief."))


@shapes()
def test_the_users_turn_ends_where_the_assistants_begins(shape: Shape) -> None:
    prompting = Prompting(tokenizer_of(shape))
    encoded = prompting.encode(prompt("Q"))
    assert text_of(prompting, encoded.ids[encoded.user_end + 1 :]) == text_of(prompting, prompting.tokens(shape.header))


@shapes()
def test_a_reply_ends_with_the_templates_own_token_and_stops_at_it(shape: Shape) -> None:
    prompting = Prompting(tokenizer_of(shape))
    end = prompting.tokenizer.convert_tokens_to_ids(shape.end)
    assert prompting.end_of_turn == end
    assert prompting.encode_reply("Sure.") == (*prompting.tokens("Sure."), end)
    assert prompting.stops([7, 8]) == sorted({7, 8, prompting.tokenizer.eos_token_id, end})
    assert prompting.stops(7) == sorted({7, prompting.tokenizer.eos_token_id, end})


def test_without_a_token_in_the_template_a_reply_ends_with_the_end_of_text() -> None:
    tokenizer = build()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    assert Prompting(tokenizer).end_of_turn == tokenizer.eos_token_id
    assert Prompting(tokenizer).stops(None) == [tokenizer.eos_token_id]


class Stubborn(PreTrainedTokenizerFast):
    """Adds the beginning of text whatever it is told, as some do."""

    def __call__(self, text: str, **given: Any) -> Any:  # type: ignore[override] # noqa: ANN401
        found = super().__call__(text, **given)
        found["input_ids"] = [self.bos_token_id, *found["input_ids"]]
        return found


def test_the_beginning_of_text_is_there_once_whatever_the_tokenizer_does() -> None:
    plain = build()
    stubborn = Stubborn(tokenizer_object=plain.backend_tokenizer, bos_token="<|begin|>", eos_token="<|end|>")
    stubborn.chat_template = CHAT_TEMPLATE
    assert Prompting(stubborn).encode(prompt("Q")) == Prompting(plain).encode(prompt("Q"))


def test_the_date_is_the_one_given_and_never_todays() -> None:
    pinned = Prompting(tokenizer_of(LLAMA), today=date(2025, 1, 2))
    assert "Today: 02 Jan 2025\n" in pinned.render([{"role": "user", "content": "Q"}])
    clock = tokenizer_of(LLAMA)
    clock.chat_template = "{{ strftime_now('%Y-%m-%d') }}{{ messages[0]['content'] }}"
    assert Prompting(clock).render([{"role": "user", "content": "Q"}]) == "2024-07-26Q"


def test_a_tokenizer_without_padding_pads_with_what_it_has() -> None:
    tokenizer = build()
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    assert Prompting(tokenizer).padding == pad
    tokenizer.pad_token = None  # type: ignore[assignment]
    assert Prompting(tokenizer).padding == end
    tokenizer.eos_token = None  # type: ignore[assignment]
    assert Prompting(tokenizer).padding == 0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Sure.", "Sure."),
        ("<think>\nHm.\n</think>\n\nSure.", "Sure."),
        ("<think>Hm.</think>", ""),
        ("<think>Hm", ""),
        ("Write <think> first.", "Write <think> first."),
        ("<think>a</think>Say </think> twice.", "Say </think> twice."),
    ],
)
def test_a_thought_at_the_start_is_not_said(written: str, said: str) -> None:
    assert without_thinking(written) == said


def test_a_thought_that_the_prompt_opened_ends_in_the_reply() -> None:
    assert without_thinking("Hm.\n</think>\nSure.", "</think>") == "Sure."
    assert without_thinking("Hm", "</think>") == ""
    assert (left_open("<|im_start|>assistant\n[THINK]\n"), left_open("Write <think> first.")) == ("[/THINK]", "")


@pytest.mark.parametrize("is_special", [True, False], ids=["special", "plain"])
@pytest.mark.parametrize("begin", MARKS)
def test_a_thought_is_kept_apart_whatever_its_marks_are_made_of(begin: str, is_special: bool) -> None:
    tokenizer = tokenizer_of(QWEN3)
    tokenizer.add_tokens([begin, MARKS[begin]], special_tokens=is_special)
    reply = reply_to(Prompting(tokenizer), f"{begin}Hm.{MARKS[begin]}Sure.<|im_end|>")
    assert (reply.text, reply.raw.replace(" ", "")) == ("Sure.", f"{begin}Hm.{MARKS[begin]}Sure.")
    cut = reply_to(Prompting(tokenizer), f"{begin}Hm.")
    assert (cut.text, cut.is_cut_thought, reply.is_cut_thought) == ("", True, False)


def test_special_tokens_that_mark_no_thought_stay_out_of_a_reply() -> None:
    reply = reply_to(Prompting(tokenizer_of(QWEN3)), "Sure.<|im_start|>Yes.<|im_end|>")
    assert (reply.text, reply.raw) == ("Sure. Yes.", None)


def test_a_template_that_writes_in_channels_is_refused() -> None:
    told = error_of("<|channel|>" + CHAT_TEMPLATE)
    assert told == (
        "The chat template of model 'm' writes in channels (<|channel|>), and thoughts in one cannot be told from "
        "replies in another here. Take another model."
    )


def reply_to(prompting: Prompting, written: str) -> Any:  # noqa: ANN401
    ids = prompting.tokens(written)
    return prompting.reply(prompt("Q"), ids, prompting.stops(None), seconds=1.5)


def test_a_reply_keeps_its_thinking_beside_what_is_said() -> None:
    prompting = Prompting(tokenizer_of(QWEN3))
    reply = reply_to(prompting, "<think>\nHm.\n</think>\n\nSure.<|im_end|>Sure.")
    assert (reply.text, reply.raw) == ("Sure.", "<think>\nHm.\n</think>\n\nSure.")
    assert reply.token_ids == tuple(prompting.tokens(reply.raw))
    assert (reply.stop, reply.seconds, reply.prompt_id) == (StopReason.END, 1.5, "Q")


def test_a_thought_that_fills_the_budget_says_nothing_and_counts_as_cut() -> None:
    reply = reply_to(Prompting(tokenizer_of(QWEN3)), "<think>\nHm")
    assert (reply.text, reply.raw, reply.stop) == ("", "<think>\nHm", StopReason.LENGTH)


def test_a_reply_without_a_thought_is_kept_once() -> None:
    assert reply_to(Prompting(tokenizer_of(QWEN2)), "Sure.<|im_end|>").raw is None


def test_a_template_that_opens_a_thought_is_seen() -> None:
    opening = replace(
        QWEN3, template=QWEN3.template.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
    )
    prompting = Prompting(tokenizer_of(opening))
    assert prompting.opens_thinking and facts(opening).opens_thinking
    assert reply_to(prompting, "Hm.</think>Sure.<|im_end|>").text == "Sure."
    assert not Prompting(tokenizer_of(QWEN3)).opens_thinking


@pytest.mark.parametrize(
    ("shape", "injects", "dated"),
    [
        (LLAMA, True, True),
        (QWEN2, True, False),
        (QWEN3, False, False),
        (MISTRAL, False, False),
        (GEMMA, False, False),
        (PHI3, False, False),
    ],
    ids=list(SHAPES),
)
def test_what_a_template_adds_by_itself_is_found_by_rendering(shape: Shape, injects: bool, dated: bool) -> None:
    found = facts(shape)
    assert (found.injects_system_turn, found.is_dated) == (injects, dated)
    assert found.preamble == shape.asked.partition("Q")[0]
    assert not found.opens_thinking and not found.lacks_beginning
    assert found.no_system_turn == ("" if shape.with_system else "takes no system turn: no role for that")


def test_the_preamble_holds_the_system_prompt() -> None:
    assert facts(QWEN2, "Be brief.").preamble == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"


def test_a_template_without_the_beginning_that_its_tokenizer_writes_is_seen() -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = build()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.bos_token_id)]
    )
    assert not template_facts("m", Prompting(tokenizer)).lacks_beginning
    tokenizer.chat_template = CHAT_TEMPLATE.replace("{{ bos_token }}", "")
    assert template_facts("m", Prompting(tokenizer)).lacks_beginning


SILENT = "{% for message in messages if message['role'] != 'system' %}{{ message['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (SILENT, "leaves the system turn out"),
        (GEMMA.template, "takes no system turn: no role for that"),
        (
            SILENT + "{% if messages[0].role == 'system' %}{{ 1 / 0 }}{% endif %}",
            "takes no system turn: division by zero",
        ),
    ],
    ids=["omits", "raises", "fails"],
)
def test_a_system_prompt_for_a_template_without_system_turns_is_refused(template: str, reason: str) -> None:
    assert error_of(template, "S") == f"--system-prompt cannot be used: the chat template of model 'm' {reason}."


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('never') }}", "The chat template of model 'm' fails on a conversation: never"),
        ("{{ messages[0] + 1 }}", "The chat template of model 'm' fails on a conversation: unsupported operand"),
        ("{% if %}", "The chat template of model 'm' fails on a conversation: Expected an expression"),
        ("Hello.", "The chat template of model 'm' leaves out the user's words; it writes 'Hello.'."),
        (
            "{{ 1 / 0 }}",
            "The chat template of model 'm' fails on a conversation: division by zero. Mend 'chat_template' of its "
            "tokenizer, or take another model.",
        ),
        (
            "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
            "The chat template of model 'm' fails on a conversation: maximum recursion depth exceeded",
        ),
    ],
)
def test_a_template_that_fails_is_told_in_one_line(template: str, message: str) -> None:
    assert error_of(template).startswith(message)


def test_a_tokenizer_without_any_end_is_refused() -> None:
    tokenizer = build()
    tokenizer.eos_token = None  # type: ignore[assignment]
    tokenizer.chat_template = SILENT
    with pytest.raises(UserError) as caught:
        template_facts("m", Prompting(tokenizer))
    assert str(caught.value) == (
        "The tokenizer of model 'm' has no token that ends a reply. Set 'eos_token' in its tokenizer_config.json."
    )


def test_a_records_thinking_comes_back_and_that_of_an_earlier_version_is_none() -> None:
    reply = reply_to(Prompting(tokenizer_of(QWEN3)), "<think>Hm.</think>Sure.<|im_end|>")
    record = dict(reply_to_json(reply))
    assert reply_from_json(record) == reply
    del record["raw"]
    assert reply_from_json(record) == replace(reply, raw=None)
