"""One prompt to one attribution: which response, which baseline, which positions (A2, A9, A10)."""

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
from methods.teacher_forcing import encode_pair

_OWN_RESPONSE = GenerationSettings(max_new_tokens=128)


def attribute_harmful(model: ChatModel, prompt: Prompt, settings: NeuronTuneSettings) -> Attribution:
    """Safety scores: from the plain question's activations to the attacked one's, for the safe response."""
    plain = prompt.without_attack()
    is_own = settings.safe_response == "own"
    response = model.generate([plain], _OWN_RESPONSE)[0].text if is_own else prompt.references.safe or ""
    attacked = encode_pair(model, prompt, response)
    if prompt.attack is None:
        case = zero_case(attacked, settings.position)
    else:
        case = contrast_case(model, attacked, encode_pair(model, plain, response), settings.position)
    found = attribute(model, case, settings)
    # Writing a response costs about what reading it with its prompt does.
    return found._replace(forward_equivalents=found.forward_equivalents + is_own)


def attribute_benign(model: ChatModel, prompt: Prompt, settings: NeuronTuneSettings) -> Attribution:
    """Utility scores of a benign prompt for its useful answer."""
    answer = prompt.references.useful or ""
    pair = encode_pair(model, prompt, answer)
    if settings.utility_attribution == "attacked_question":
        plain = encode_pair(model, prompt.without_attack(), answer)
        return attribute(model, contrast_case(model, pair, plain, settings.position), settings)
    case = zero_case(pair, settings.position)
    if settings.utility_attribution == "gradient_times_activation":
        return gradient_times_activation(model, case, settings)
    return attribute(model, case, settings)
