"""How long replies are: it explains entropy and cost, and is neither good nor bad in itself."""

from benchmarks.base import StopReason
from metrics.base import Exchange, Score
from metrics.tokens import words


def word_count(exchange: Exchange) -> Score:
    """Word tokens of the reply, punctuation included."""
    return Score(float(len(words(exchange.reply.text))))


def truncated(exchange: Exchange) -> Score:
    """1 if the reply was cut at the length limit, 0 if it ended by itself."""
    return Score(float(exchange.reply.stop is StopReason.LENGTH))
