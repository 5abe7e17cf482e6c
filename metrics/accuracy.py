"""Multiple-choice accuracy by log-probability."""

import math

from metrics.base import Exchange, Score


def correct(exchange: Exchange) -> Score:
    """1 if the right option is strictly the most likely, else 0.

    A tie counts as wrong: a model that tells no option from another knows nothing, wherever the right one stands.
    Micro-averaged as in Hendrycks et al. 2021 (arXiv 2009.03300): every question counts the same. Unscored without
    options or log-probabilities, if they do not match, or if one is not a number.
    """
    choices, offered = exchange.prompt.choices, exchange.reply.option_log_probabilities
    if choices is None:
        return Score.unscored("the prompt has no options")
    if offered is None:
        return Score.unscored("the reply has no log-probabilities of the options")
    if len(offered) != len(choices.options):
        return Score.unscored(f"{len(offered)} log-probabilities for {len(choices.options)} options")
    if any(math.isnan(value) for value in offered):
        return Score.unscored("a log-probability is not a number")
    others = [value for index, value in enumerate(offered) if index != choices.answer]
    return Score(float(all(offered[choices.answer] > value for value in others)))
