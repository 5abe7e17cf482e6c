r"""Text that others wrote, made safe to print: replies, prompts, names of arms and models.

What cannot be seen is shown as an escape (`\u202e`), so that no terminal obeys it and no reader is misled by it.
"""

import re

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u070f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Control, format and bidirectional characters, line separators, surrogates. Newline and tab stay, and so do the two
joiners U+200C and U+200D, without which emoji and Persian words fall apart."""

MARKDOWN_SIGNS = re.compile(r"([\\`*\[\]<>|~&#$]|(?<![^\W_])_|_(?![^\W_]))")
"""An underscore between two letters or digits means nothing to GitHub, so `refusal_rate` stays readable."""

FORMULA_SIGNS = ("=", "+", "-", "@")


def visible(text: str) -> str:
    """The text with every unseen character written as an escape."""
    return UNSEEN.sub(lambda match: _escape(match.group()), text)


def one_line(text: str) -> str:
    """The same on one line: newlines and runs of blanks become one blank."""
    return visible(" ".join(text.split()))


def markdown_text(text: str) -> str:
    """The same with every sign escaped that GitHub Markdown would act on, in a table cell too."""
    return MARKDOWN_SIGNS.sub(r"\\\1", one_line(text))


def spreadsheet_text(text: str) -> str:
    """One line that no spreadsheet takes for a formula: an apostrophe, which it does not show, goes first.

    As advised in https://owasp.org/www-community/attacks/CSV_Injection.
    """
    line = one_line(text)
    return f"'{line}" if line.startswith(FORMULA_SIGNS) else line


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
