"""Which questions the direction is learnt from and chosen on, and which tokens begin a refusal."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.base import AlignmentData, Prompt, Split
from benchmarks.errors import UserError
from methods.base import ChatModel, PromptTokens

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


LEAST = 16
"""Questions of an intent that the model treats typically, below which all are taken.

A mean over so many points where that over 64 and more does: 95 % of draws have a cosine above 0.9 at every layer of the
embedded model and of SmolLM2-135M-Instruct; over 8, above 0.8.
"""


TYPICAL = (("refuses", "harmful"), ("answers", "harmless"))
"""What a model is expected to do with questions of either intent."""


class Contrast(NamedTuple):
    """Encoded questions of both intents."""

    harmful: list[PromptTokens]
    harmless: list[PromptTokens]


class Typical(NamedTuple):
    """What is left of a contrast, and how that came about."""

    kept: Contrast
    told: tuple[str, ...] = ()
    """One sentence for each intent."""
    fallbacks: tuple[str, ...] = ()
    """Those of them that tell of an intent that could not be filtered."""


def draw(model: ChatModel, data: AlignmentData, split: Split, count: int, rng: random.Random) -> Contrast:
    """Up to `count` different questions of each intent, asked plainly: the paper has no attacks."""

    def encoded(prompts: Iterable[Prompt]) -> list[PromptTokens]:
        distinct = {prompt.question_id: prompt.without_attack() for prompt in prompts}
        chosen = rng.sample(sorted(distinct), min(count, len(distinct)))
        return [model.encode(distinct[name]) for name in chosen]

    return Contrast(encoded(data.harmful(split)), encoded(data.benign(split)))


def keep_typical(
    asked: Contrast, harmful: "Float[Tensor, ' row']", harmless: "Float[Tensor, ' row']", split: Split
) -> Typical:
    """Harmful questions that the model refuses and harmless ones that it does not, by their refusal scores.

    All of an intent stay where fewer than `LEAST` of them would, or fewer than were asked of less.
    """
    refused = [tokens for tokens, score in zip(asked.harmful, harmful.tolist(), strict=True) if score > 0]
    answered = [tokens for tokens, score in zip(asked.harmless, harmless.tolist(), strict=True) if score < 0]
    parts = [(refused, asked.harmful), (answered, asked.harmless)]
    fulls = [len(kept) < min(LEAST, len(there)) for kept, there in parts]
    told = tuple(
        f"{'un' * is_full}filtered: the model {verb} {len(kept)} of {len(there)} {kind} {split} questions."
        for is_full, (kept, there), (verb, kind) in zip(fulls, parts, TYPICAL, strict=True)
    )
    kept = Contrast(*(there if is_full else kept for is_full, (kept, there) in zip(fulls, parts, strict=True)))
    return Typical(kept, told, tuple(text for text, is_full in zip(told, fulls, strict=True) if is_full))


def refusal_tokens(model: ChatModel, data: AlignmentData) -> tuple[int, ...]:
    """Tokens that begin a larger share of safe references (harmful prompts) than of useful ones (benign prompts).

    Of train prompts. The paper lists them by hand for each tokenizer; comparing leaves out words such as "The", with
    which replies of both kinds begin.
    """
    safe = [prompt.references.safe for prompt in data.harmful() if prompt.references.safe]
    useful = [prompt.references.useful for prompt in data.benign() if prompt.references.useful]
    refusing, helping = (Counter(model.encode_reply(text)[0] for text in texts) for texts in (safe, useful))
    return tuple(
        sorted(token for token in refusing if refusing[token] * max(len(useful), 1) > helping[token] * len(safe))
    )


def check_data(model: ChatModel, data: AlignmentData, *, needs_scores: bool, needs_dev: bool) -> None:
    """Refuse data without what is learnt from.

    Raises:
        UserError: Naming the data and what it lacks.
    """
    lacking = [
        f"{intent} {split} prompts"
        for split in (Split.TRAIN, Split.DEV)[: 1 + needs_dev]
        for intent, prompts in (("harmful", data.harmful(split)), ("benign", data.benign(split)))
        if not prompts
    ]
    if needs_scores and not refusal_tokens(model, data):
        lacking.append("safe references of harmful train prompts that begin unlike the useful ones of benign prompts")
    if lacking:
        raise UserError(
            f"'refusal_direction' needs {' and '.join(lacking)}, which the alignment data '{data.name}' lacks. "
            "Use --data with them; 'embedded' has all."
        )
