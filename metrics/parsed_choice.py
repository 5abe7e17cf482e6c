"""Multiple-choice accuracy of written answers: the letter is read out of the reply."""

import re
from collections.abc import Callable

from metrics.base import Exchange, Score

_LETTER = r"(?!A\s+[a-z])({letters})(?![\w+#-]|['\u2019]\w|\.\w)"
"""One that is no part of a word. An A with a lower-case word after it is an article, as in `A city in France`."""
_FORMS = (
    r"\A[\s(\[*\"'`]*" + _LETTER + r"(?=[ ]*(?:[.:,;)\]*\"'`\n]|\Z))",
    r"(?i:answer(?:\s+is|\s*:|\s+should\s+be)?(?:\s+option|\s+choice)?)[\s:(\[*\"'`]*\b" + _LETTER,
    r"(?<![\w.-])(?<!\w['\u2019])" + _LETTER,
)
"""In the order in which they are tried: `B.` or `(B)` at the start, `the answer is B`, the first letter by itself."""


def parse_choice(text: str, options: int) -> int | None:
    """Index of the option that a reply names by its letter, or None where it names none.

    Args:
        text: The reply.
        options: How many there are; further letters mean nothing.
    """
    letters = f"[A-{chr(ord('A') + options - 1)}]"
    for form in _FORMS:
        found = re.search(form.replace("{letters}", letters), text)
        if found:
            return ord(found[1]) - ord("A")
    return None


def correct(exchange: Exchange) -> Score:
    """1 if the reply names the right option, else 0; a reply that names none is wrong."""
    return _score(exchange, lambda chosen, answer: chosen == answer)


def unparsable(exchange: Exchange) -> Score:
    """1 if the reply names no option, else 0."""
    return _score(exchange, lambda chosen, _: chosen is None)


def _score(exchange: Exchange, is_so: Callable[[int | None, int], bool]) -> Score:
    choices = exchange.prompt.choices
    if choices is None:
        return Score.unscored("the prompt has no options")
    return Score(float(is_so(parse_choice(exchange.reply.text, len(choices.options)), choices.answer)))
