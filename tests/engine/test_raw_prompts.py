from dataclasses import replace

import pytest

from benchmarks.base import Benchmark, Choices, Intent, Kind, Message, Prompt, Split, content_hash
from harness.cells import Ordered
from harness.prompting import Prompting
from harness.records import benchmark_from_json, benchmark_to_json
from methods.cavgan.answering import with_instruction
from methods.safety_prompt import Words, reworded
from tests.engine.conftest import prompt
from tests.methods.tiny_models import tiny, tokenizer

SHOTS = [("Is the bear red?", "A"), ("Is the horse blue?", "B"), ("Is the swan white?", "A")]


def few_shot(question: str, shots: int = 3) -> Prompt:
    solved = [
        message
        for asked, letter in SHOTS[:shots]
        for message in (Message("user", f"{asked}\nAnswer:"), Message("assistant", f" {letter}\n\n"))
    ]
    messages = (Message("system", "These are questions.\n\n"), *solved, Message("user", f"{question}\nAnswer:"))
    choices = Choices(("yes", "no"), 0)
    return Prompt(
        question, messages, Intent.BENIGN, question, question, "test", Split.TEST, choices=choices, is_raw=True
    )


ASKED = few_shot("Is the wolf black?")
TEXT = (
    "These are questions.\n\nIs the bear red?\nAnswer: A\n\nIs the horse blue?\nAnswer: B\n\n"
    "Is the swan white?\nAnswer: A\n\nIs the wolf black?\nAnswer:"
)


def ids(text: str) -> list[int]:
    return list(tokenizer()(text, add_special_tokens=False)["input_ids"])


def test_a_raw_prompt_is_its_text_and_nothing_else() -> None:
    encoded = Prompting(tokenizer()).encode(ASKED)
    assert list(encoded.ids) == ids(TEXT)
    assert encoded.user_end == encoded.last == len(encoded.ids) - 1


def test_a_raw_prompt_begins_as_the_tokenizer_begins_any_text() -> None:
    from tokenizers.processors import TemplateProcessing

    eager = type(tokenizer())(tokenizer_object=tokenizer().backend_tokenizer, bos_token="<|begin|>")
    begin = tokenizer().bos_token_id
    eager.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", begin)]
    )
    assert list(Prompting(eager).encode(ASKED).ids) == [begin, *ids(TEXT)]


def test_no_text_at_all_is_the_beginning_of_text() -> None:
    empty = replace(ASKED, messages=(Message("user", ""),))
    assert Prompting(tokenizer()).encode(empty).ids == (tokenizer().bos_token_id,)


@pytest.mark.parametrize("left", [2, 1, 0])
def test_the_first_shots_are_dropped_while_the_prompt_is_too_long(left: int) -> None:
    shorter = ids("These are questions.\n\n" + "".join(
        f"{asked}\nAnswer: {letter}\n\n" for asked, letter in SHOTS[3 - left :]
    ) + "Is the wolf black?\nAnswer:")  # fmt: skip
    assert list(Prompting(tokenizer()).encode(ASKED, context=len(shorter)).ids) == shorter
    assert list(Prompting(tokenizer()).encode(ASKED, context=len(ids(TEXT))).ids) == ids(TEXT)


def test_a_question_that_is_too_long_by_itself_loses_its_beginning() -> None:
    assert list(Prompting(tokenizer()).encode(ASKED, context=5).ids) == ids(TEXT)[-5:]


def test_the_context_is_that_of_the_network() -> None:
    model = tiny()
    vars(model.network)["config"].max_position_embeddings = 30
    assert len(model.encode(ASKED).ids) <= 30


def test_a_letter_goes_on_in_the_line_of_a_raw_prompt_and_begins_a_chat_reply() -> None:
    prompting = Prompting(tokenizer())
    assert prompting.continuation(ASKED, " B") == ids(TEXT + " B")[len(ids(TEXT)) :] == ids("B")
    assert prompting.continuation(prompt("Is it?"), " B") == ids(" B") != ids("B")


def test_a_raw_prompt_keeps_its_hash_and_its_rawness_in_a_run_folder() -> None:
    benchmark = Benchmark("b", "b", Kind.MULTIPLE_CHOICE, Intent.BENIGN, (ASKED,), "s", "1", "CC0")
    assert benchmark_from_json(benchmark_to_json(benchmark)) == benchmark
    assert content_hash([ASKED]) != content_hash([replace(ASKED, is_raw=False)])


def test_hashes_of_prompts_with_a_template_are_what_they_were_before_there_were_raw_ones() -> None:
    plain = prompt("How do I go home?")
    assert content_hash([plain]) == "652fb8608101cbe0f82337bd20ab0e914f1d6b3ca5bf6a2c91aa33faa6b61feb"


def test_words_of_a_method_leave_the_end_of_a_raw_prompt_alone() -> None:
    for changed in (
        reworded(ASKED, Words(before="Be kind.", after="Do no harm.")),
        with_instruction(ASKED, "Be kind. Do no harm."),
    ):
        assert changed.messages[-1].content == "Be kind. Do no harm. Is the wolf black?\nAnswer:"
        assert changed.messages[:-1] == ASKED.messages[:-1]


def test_questions_after_the_same_shots_are_asked_together() -> None:
    prompts = tuple(
        few_shot(f"Is the {animal} {'very ' * length}red?", shots)
        for length, (animal, shots) in enumerate([("bear", 2), ("wolf", 3), ("swan", 2), ("goat", 3)])
    )
    benchmark = Benchmark("b", "b", Kind.MULTIPLE_CHOICE, Intent.BENIGN, prompts, "s", "1", "CC0")
    assert [one.id.split()[2] for one in Ordered.of(benchmark, tiny()).prompts] == ["goat", "wolf", "swan", "bear"]
