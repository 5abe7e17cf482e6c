"""Naming a prompt in a terminal without saying what it asks: some sets put the question into the id."""

import hashlib

from reports.foreign import one_line

LONGEST = 60


def prompt_name(prompt_id: str, question: str) -> str:
    """The id, with a hash in place of the question; one that is still long is cut, and ends in a hash of the whole."""
    name = prompt_id
    if question.strip() and question in name:
        name = name.replace(question, f"#{_short(question)}")
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 10]}#{_short(prompt_id)}"
    return one_line(name)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
