"""One prompt to one attribution: which response, which baseline, which positions (A2, A9, A10)."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.base import Prompt
from methods.base import ChatModel, GenerationSettings
from methods.neurontune.attribution import (
    Attribution,
    attribute,
    contrast_case,
    gradient_times_activation,
    zero_case,
)
from methods.neurontune.settings import NeuronTuneSettings
from methods.passes import Passes
from methods.teacher_forcing import Pair, encode_pair

_OPENING_WORDS = 3


class Response(NamedTuple):
    """What the model shall be likely to say to a harmful question."""

    text: str
    passes: float
    """What writing it cost: about what reading it with its prompt does."""
    is_replaced: bool
    """Whether the model's own reply did not refuse, and the data's safe response stands in for it."""


def safe_response(model: ChatModel, prompt: Prompt, settings: NeuronTuneSettings, refusals: Iterable[str]) -> Response:
    """The data's safe response, or the model's own reply to the plain question where that begins as a refusal (A9)."""
    reference = prompt.references.safe or ""
    if settings.safe_response == "reference":
        return Response(reference, 0.0, is_replaced=False)
    wanted = GenerationSettings(max_new_tokens=settings.reply_tokens)
    own = model.generate([prompt.without_attack()], wanted)[0].text
    refuses = _opening(own) in {_opening(refusal) for refusal in refusals}
    return Response(own if refuses else reference, 1.0, is_replaced=not refuses)


def attribute_harmful(
    model: ChatModel, prompt: Prompt, response: str, settings: NeuronTuneSettings, passes: Passes
) -> Attribution:
    """Safety scores: from the plain question's activations to the attacked one's, for the safe response."""
    attacked = _pair(model, prompt, response, settings)
    if prompt.attack is None:
        case = zero_case(attacked, settings.position)
    else:
        plain = _pair(model, prompt.without_attack(), response, settings)
        case = contrast_case(model, attacked, plain, settings.position)
    return attribute(model, case, settings, passes)


def attribute_benign(
    model: ChatModel, prompt: Prompt, attribution: str, settings: NeuronTuneSettings, passes: Passes
) -> Attribution:
    """Utility scores of a benign prompt for its useful answer."""
    answer = prompt.references.useful or ""
    pair = _pair(model, prompt, answer, settings)
    if attribution == "attacked_question":
        plain = _pair(model, prompt.without_attack(), answer, settings)
        return attribute(model, contrast_case(model, pair, plain, settings.position), settings, passes)
    case = zero_case(pair, settings.position)
    if attribution == "gradient_times_activation":
        return gradient_times_activation(model, case, settings)
    return attribute(model, case, settings, passes)


def _pair(model: ChatModel, prompt: Prompt, response: str, settings: NeuronTuneSettings) -> Pair:
    return encode_pair(model, prompt, response, settings.reply_tokens)


def _opening(text: str) -> tuple[str, ...]:
    """The first words, in small letters and without what stands between them."""
    words = re.findall(r"[\w']+", text.lower().replace("\u2019", "'"))
    return tuple(words[:_OPENING_WORDS])
