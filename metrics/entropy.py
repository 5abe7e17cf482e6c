"""Entropy of a reply in bits: how varied its words are. Loops score near 0.

The value is bounded by length (`ceiling`), so that a short refusal scores low by construction; the `first_100` scores
look at the first 100 word tokens alone, which sets long replies on equal terms. A reply shorter than that scores the
same in both, and an empty one scores 0.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from metrics.base import Exchange, Score
from metrics.tokens import ngrams, words

MATCHED_LENGTH = 100
"""Word tokens that the length-matched scores look at."""


def shannon(items: Sequence[Hashable]) -> float:
    """Shannon entropy of the items' relative frequencies, in bits; 0 where there is none."""
    total = len(items)
    return sum(count / total * math.log2(total / count) for count in Counter(items).values())


def ngram_entropy(tokens: list[str]) -> float:
    """F = H2/3 + 2*H3/3, with Hn the entropy of the n-grams, in bits.

    The "fluency" of ROME (Meng et al. 2022, arXiv 2202.05262) and of EasyEdit, which SafeEdit reports: the mean of
    (2/3)*H2 and (4/3)*H3.
    """
    return shannon(ngrams(tokens, 2)) / 3 + 2 * shannon(ngrams(tokens, 3)) / 3


def ceiling(length: int) -> float:
    """The largest n-gram entropy of a reply of `length` word tokens: no n-gram occurs twice."""
    return math.log2(max(length - 1, 1)) / 3 + 2 * math.log2(max(length - 2, 1)) / 3


def entropy(exchange: Exchange) -> Score:
    """N-gram entropy of the whole reply."""
    return Score(ngram_entropy(words(exchange.reply.text)))


def entropy_unigram(exchange: Exchange) -> Score:
    """Entropy H1 of the single word tokens: the other reading of NeuronTune's "Entropy (bit)"."""
    return Score(shannon(words(exchange.reply.text)))


def entropy_first_100(exchange: Exchange) -> Score:
    """N-gram entropy of the first 100 word tokens."""
    return Score(ngram_entropy(words(exchange.reply.text)[:MATCHED_LENGTH]))


def entropy_unigram_first_100(exchange: Exchange) -> Score:
    """Unigram entropy of the first 100 word tokens."""
    return Score(shannon(words(exchange.reply.text)[:MATCHED_LENGTH]))
