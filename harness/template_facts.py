"""What a chat template does by itself: found by rendering, since templates are programs."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from jinja2.exceptions import TemplateError

from benchmarks.errors import UserError
from harness.prompting import Conversation, Prompting
from harness.thoughts import CHANNEL

_USER, _SYSTEM = "zebra", "walrus"
"""Stand for what is said; no template says them by itself."""
_FAILURES = (TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""A template is a program of others: what it does to its data may fail as any Python does."""


class TemplateFacts(NamedTuple):
    """Of one chat template, with the system turn and the date that it is given."""

    preamble: str
    """What stands before the first user's words."""
    no_system_turn: str
    """Why no system turn can be written, as an end of a sentence; empty where one can."""
    injects_system_turn: bool
    """Whether a system turn is written though none was given."""
    is_dated: bool
    """Whether it tells the model today's date."""
    opens_thinking: bool
    """Whether the assistant's turn begins inside of a thought."""
    lacks_beginning: bool
    """Whether the tokenizer begins a plain text with a token that the template leaves out."""


def template_facts(name: str, prompting: Prompting) -> TemplateFacts:
    """What the template of a model does.

    Raises:
        UserError: If there is none, if it fails on an ordinary conversation or leaves out what is said, or if a system
            turn is asked for and it has none.
    """
    check_template(name, prompting)
    bare = replace(prompting, system=None)
    own = _before(bare, [_turn("user", _USER)], _USER)
    reason = _no_system_turn(bare)
    header = "" if reason else _before(bare, [_turn("system", _SYSTEM), _turn("user", _USER)], _SYSTEM)
    tomorrow = replace(bare, today=bare.today + timedelta(days=400))
    first = bare.tokens(own or _USER)[:1]
    begin = bare.tokenizer.bos_token_id
    return TemplateFacts(
        preamble=_before(prompting, _asked(prompting), _USER),
        no_system_turn=reason,
        injects_system_turn=bool(header) and own.startswith(header) and own != header,
        is_dated=_before(tomorrow, [_turn("user", _USER)], _USER) != own,
        opens_thinking=bare.opens_thinking,
        lacks_beginning=begin is not None and first != [begin] and _plain_begins_with(bare, begin),
    )


def check_template(name: str, prompting: Prompting) -> None:
    """Refuse a template with which no prompt can be built.

    Raises:
        UserError: As `template_facts`.
    """
    if not prompting.tokenizer.chat_template:
        raise UserError(
            f"Model '{name}' has no chat template, so prompts cannot be built as it was trained on them. "
            "Use the chat or instruct version of the checkpoint, or add 'chat_template' to its tokenizer."
        )
    conversation = [_turn("user", _USER), _turn("assistant", "yes"), _turn("user", "and?")]
    bare = replace(prompting, system=None)
    try:
        written = bare.render(conversation)
    except _FAILURES as error:
        raise UserError(
            f"The chat template of model '{name}' fails on a conversation: {str(error).rstrip('.')}. "
            "Mend 'chat_template' of its tokenizer, or take another model."
        ) from error
    if _USER not in written:
        raise UserError(
            f"The chat template of model '{name}' leaves out the user's words; it writes {written[:80]!r}. "
            "Mend 'chat_template' of its tokenizer, or take another model."
        )
    if CHANNEL in written:
        raise UserError(
            f"The chat template of model '{name}' writes in channels ({CHANNEL}), and thoughts in one cannot be told "
            "from replies in another here. Take another model."
        )
    reason = _no_system_turn(bare) if prompting.system else ""
    if reason:
        raise UserError(f"--system-prompt cannot be used: the chat template of model '{name}' {reason}.")
    if bare.end_of_turn is None:
        raise UserError(
            f"The tokenizer of model '{name}' has no token that ends a reply. Set 'eos_token' in its "
            "tokenizer_config.json."
        )


def _no_system_turn(prompting: Prompting) -> str:
    try:
        written = prompting.render([_turn("system", _SYSTEM), _turn("user", _USER)])
    except _FAILURES as error:
        return f"takes no system turn: {error}"
    return "" if _SYSTEM in written else "leaves the system turn out"


def _asked(prompting: Prompting) -> Conversation:
    system = [] if prompting.system is None else [_turn("system", prompting.system)]
    return [*system, _turn("user", _USER)]


def _before(prompting: Prompting, conversation: Conversation, words: str) -> str:
    return prompting.render(conversation).partition(words)[0]


def _plain_begins_with(prompting: Prompting, token: int) -> bool:
    return list(prompting.tokenizer(_USER)["input_ids"])[:1] == [token]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
