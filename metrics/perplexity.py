"""Perplexity of a reply under a fixed scorer: how predictable its text is.

The scorer is not the arm that wrote the reply, so that all arms are measured by one rule. Low values mean predictable
text, and nothing is as predictable as a loop: read it beside `degenerate_rate`.
"""

import math
import sys

from metrics.base import Exchange, Score

LARGEST_SURPRISE = math.log(sys.float_info.max)
"""Nats per token beyond which a perplexity is no number any more."""


def perplexity(exchange: Exchange) -> Score:
    """Perplexity, exp of the mean negative log-likelihood of a reply token; unscored where it was not taken."""
    surprise = exchange.surprise
    if surprise is None:
        return Score.unscored("no scorer has read this reply" if exchange.reply.text else "the reply is empty")
    if not -LARGEST_SURPRISE < surprise < LARGEST_SURPRISE:
        return Score.unscored(f"the scorer's mean negative log-likelihood is {surprise:g}")
    return Score(math.exp(surprise))
