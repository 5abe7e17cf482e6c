"""Word tokens of a reply, for entropy, degeneracy and length.

The entropy that papers report splits words by NLTK's `word_tokenize`, the Penn Treebank rules. Ours keeps to their
main points without its data files: punctuation stands alone, contractions are split ("do" "n't", "it" "'s", "can"
"not"), and hyphens, inner full stops, slashes and figures ("3.5", "1,000", "3:30") stay inside a word. It differs in
abbreviations ("e.g" "."), in quotes, which stay as written, and in that an address is split at its double slash.
"""

import re

_ENDINGS = "(?:s|m|d|ll|re|ve)"
_WORD = re.compile(
    rf"""
      can(?=not\b)                                # can | not
    | \w+?(?=n['\u2019]t\b)                            # do | n't
    | n['\u2019]t\b
    | ['\u2019]{_ENDINGS}\b                            # it | 's
    | \w+(?:(?:[-./]|[,:](?=\d)|['\u2019](?!{_ENDINGS}\b))\w+)*
    | \.{{2,}} | -{{2,}}
    | [^\w\s]
    """,
    re.VERBOSE | re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """Word and punctuation tokens, in order, as written."""
    return _WORD.findall(text)


def ngrams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    """Every run of `n` tokens, overlapping: `len(tokens) - n + 1` of them, or none."""
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))
