from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import AlignmentData, Message, Prompt, Reply
from benchmarks.embedded.replies import Reading, read
from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.embedded.tokenizer import build
from harness.registry import engine
from harness.transformers_model import TransformersModel
from methods.base import ChatModel, Fitted, Foldable, GenerationSettings, PromptTokens, Requirements
from methods.safety_prompt import REMINDER, TEXT, SafetyPrompt, SafetyPromptSettings
from methods.wrapped import Wrapped
from tests.methods.tiny_models import embedded_data, tiny

MODEL = tiny()
PROMPT = embedded_data().train[0]
NOTHING = AlignmentData("nothing", (), ())
SHORT = GenerationSettings(max_new_tokens=6)
PLACEMENTS = ("system", "wrap", "suffix")


def fit(
    model: ChatModel,
    placement: str = "system",
    text: str = TEXT,
    reminder: str = REMINDER,
    data: AlignmentData | None = None,
) -> Fitted:
    def ignored(stage: str, done: int, total: int) -> None:
        assert (stage, done) == ("counting tokens", total)

    return SafetyPrompt(SafetyPromptSettings(placement, text, reminder)).fit(model, data or embedded_data(), 0, ignored)


def asked(prompt: Prompt, *turns: tuple[str, str]) -> Prompt:
    return replace(prompt, messages=tuple(Message(role, content) for role, content in turns))  # type: ignore[arg-type]


class Recorder(Wrapped):
    """Stands where a model does and keeps the prompts that it is to encode."""

    def __init__(self) -> None:
        super().__init__(MODEL)
        self.prompts: list[Prompt] = []

    def encode(self, prompt: Prompt) -> PromptTokens:
        self.prompts.append(prompt)
        return PromptTokens((0,), 0)


def by_hand(prompt: Prompt, placement: str) -> Prompt:
    words = prompt.messages[0].content
    if placement == "system":
        return asked(prompt, ("system", TEXT), ("user", words))
    return asked(prompt, ("user", f"{TEXT} {words} {REMINDER}" if placement == "wrap" else f"{words} {REMINDER}"))


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_model_reads_answers_and_rates_the_prompt_with_the_words_in_place(placement: str) -> None:
    model, prompts = MODEL, embedded_data().train[:3]
    rewritten = [by_hand(prompt, placement) for prompt in prompts]
    continuations = [["Sure", "Sorry"]] * 3
    with fit(model, placement).applied(model) as protected:
        assert [protected.encode(prompt) for prompt in prompts] == [model.encode(prompt) for prompt in rewritten]
        replies = protected.generate(prompts, SHORT)
        rated = protected.log_probabilities(prompts, continuations)
    expected = model.generate(rewritten, SHORT)
    assert [reply.token_ids for reply in replies] == [reply.token_ids for reply in expected]
    assert [reply.prompt_id for reply in replies] == [prompt.id for prompt in prompts]
    wanted = model.log_probabilities(rewritten, continuations)
    assert all(
        float(mine) == float(theirs)
        for row, same in zip(rated, wanted, strict=True)
        for mine, theirs in zip(row, same, strict=True)
    )


def test_a_system_turn_that_is_there_is_kept_after_ours() -> None:
    model = MODEL
    with fit(model).applied(model) as protected:
        found = protected.encode(asked(PROMPT, ("system", "Answer as the pirate."), ("user", "Hello")))
    assert found == model.encode(asked(PROMPT, ("system", f"{TEXT} Answer as the pirate."), ("user", "Hello")))


def test_in_a_long_conversation_the_last_user_turn_alone_is_wrapped() -> None:
    model = MODEL
    turns = [("user", "Hello"), ("assistant", "Yes"), ("user", "Go home")]
    with fit(model, "wrap").applied(model) as protected:
        found = protected.encode(asked(PROMPT, *turns))
    assert found == model.encode(asked(PROMPT, *turns[:2], ("user", f"{TEXT} Go home {REMINDER}")))


@given(
    turns=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=4),
    placement=st.sampled_from(PLACEMENTS),
)
def test_without_words_no_prompt_changes(turns: list[tuple[str, str]], placement: str) -> None:
    prompt = asked(PROMPT, *turns)
    seen = Recorder()
    with fit(seen, placement, text="", reminder="", data=NOTHING).applied(seen) as protected:
        protected.encode(prompt)
    assert seen.prompts[-1] == prompt


@given(
    turns=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=4),
    placement=st.sampled_from(PLACEMENTS),
)
def test_all_that_was_said_is_kept_in_order_with_everything_else_about_the_prompt(
    turns: list[tuple[str, str]], placement: str
) -> None:
    prompt, seen = asked(PROMPT, *turns), Recorder()
    with fit(seen, placement, data=NOTHING).applied(seen) as protected:
        protected.encode(prompt)
    found = seen.prompts[-1]
    added = len(found.messages) - len(turns)
    assert added == (placement == "system" and (not turns or turns[0][0] != "system"))
    for (role, content), message in zip(turns, found.messages[added:], strict=True):
        assert message.role == role
        assert content in message.content
    assert replace(found, messages=prompt.messages) == prompt


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_extra_tokens_are_the_mean_over_train_prompts(placement: str) -> None:
    model, data = MODEL, embedded_data()
    more = [len(model.encode(by_hand(prompt, placement)).ids) - len(model.encode(prompt).ids) for prompt in data.train]
    cost = fit(model, placement).cost
    assert cost.extra_tokens_per_reply == sum(more) / len(more) > 10
    assert cost.forward_equivalents == cost.extra_passes_per_reply == 0


def test_the_words_are_saved_and_loaded_as_plain_json(tmp_path: Path) -> None:
    model = MODEL
    fitted = fit(model, "wrap", "Be kind.", "Really.")
    fitted.save(tmp_path)
    loaded = SafetyPrompt.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["artefact.json"]
    assert (loaded.cost, loaded.diagnostics()) == (fitted.cost, fitted.diagnostics())
    assert loaded.diagnostics() == {"system": "", "before": "Be kind.", "after": "Really."}
    with loaded.applied(model) as mine, fitted.applied(model) as theirs:
        assert mine.encode(PROMPT) == theirs.encode(PROMPT) != model.encode(PROMPT)


def test_any_engine_will_do_and_nothing_is_folded() -> None:
    assert SafetyPrompt.needs.missing_from(Requirements()) == ()
    assert not isinstance(fit(MODEL), Foldable)


def with_template(template: str) -> TransformersModel:
    tokenizer = build()
    tokenizer.chat_template = template
    return TransformersModel("small", MODEL._network, tokenizer)


RAISING = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{{ messages[0]['content'] }}"
)
SILENT = "{% for message in messages if message['role'] != 'system' %}{{ message['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "reason"), [(RAISING, "says: No system role"), (SILENT, "leaves it out")], ids=["raises", "omits"]
)
def test_a_template_without_system_turns_is_refused_with_the_placements_that_work(template: str, reason: str) -> None:
    model = with_template(template)
    with pytest.raises(UserError) as caught:
        SafetyPrompt(SafetyPromptSettings()).check(model, embedded_data())
    assert str(caught.value) == (
        f"'safety_prompt' writes a system turn, but the chat template of 'small' {reason}. "
        "Use safety_prompt[placement=wrap] or safety_prompt[placement=suffix]."
    )
    for settings in (SafetyPromptSettings("wrap"), SafetyPromptSettings("suffix"), SafetyPromptSettings(text="")):
        SafetyPrompt(settings).check(model, embedded_data())


def test_a_template_with_system_turns_is_taken() -> None:
    SafetyPrompt(SafetyPromptSettings()).check(MODEL, embedded_data())


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_embedded_model_knows_the_words_and_heeds_them(placement: str) -> None:
    model = engine("transformers").load(ModelSpec("embedded"))
    tokens = build().convert_ids_to_tokens(list(model.encode_reply(f"{TEXT} {REMINDER}")))
    assert not any(token.startswith("<0x") for token in tokens)
    attacked = [prompt for prompt in embedded_data().harmful() if prompt.attack][:16]
    with fit(model, placement).applied(model) as protected:
        careful = protected.generate(attacked, GenerationSettings(40))
    plain = model.generate(attacked, GenerationSettings(40))
    assert refusals(careful) == 16 > refusals(plain) + 6


def refusals(replies: list[Reply]) -> int:
    return sum(read(reply.text) is Reading.REFUSED for reply in replies)
