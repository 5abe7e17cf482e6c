"""Hidden states at the landmarks of a prompt, and the vectors that SCANS makes of them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.base import Prompt
from methods.base import ChatModel
from methods.residual import read_states

AFFIRMATION = "Sure"
"""How a complying reply begins; put behind the prompt to see which way the hidden state moves.

Encoded as a reply is, so with a space before it only where the tokenizer begins replies so, as Llama-2's does. Behind
the line break of another template's header a space would be what no reply begins with.
"""


class Landmarks(NamedTuple):
    """What is read of prompts, after every block."""

    last: Float[Tensor, "prompt layer width"]
    """Residual stream at the last prompt token."""
    transition: Float[Tensor, "prompt layer width"]
    """t(q): residual stream before the reply begins, minus that at the last token of the affirmation."""


def read_landmarks(model: ChatModel, prompts: Sequence[Prompt], start: str) -> Landmarks:
    """One pass over every prompt with the affirmation behind it; a causal network's prompt states are as without it.

    Args:
        model: Read without any steering that acts on replies.
        prompts: Whole conversations: the last user's turn counts, whatever stands before it is part of the prompt.
        start: `last_prompt_token` or `user_end`, where the transition starts.
    """
    affirmation = model.encode_reply(AFFIRMATION)[:-1]
    encoded = [model.encode(prompt) for prompt in prompts]
    rows = [(*tokens.ids, *affirmation) for tokens in encoded]
    starts = [tokens.user_end if start == "user_end" else tokens.last for tokens in encoded]
    places = [(tokens.last, begin, len(row) - 1) for tokens, begin, row in zip(encoded, starts, rows, strict=True)]
    states = read_states(model, rows, places)
    return Landmarks(states[:, 0], states[:, 1] - states[:, 2])


def refusal_vectors(
    harmful: Float[Tensor, "harmful layer width"], benign: Float[Tensor, "benign layer width"]
) -> Float[Tensor, "layer width"]:
    """Unit vectors from the benign anchors' mean to the harmful anchors', towards refusal (section 3.1 of SCANS).

    Args:
        harmful: Residual stream at the last prompt token of harmful anchors.
        benign: The same of benign anchors.
    """
    return torch.nn.functional.normalize(harmful.mean(dim=0) - benign.mean(dim=0), dim=-1)


def separations(
    harmful: Float[Tensor, "harmful layer width"], benign: Float[Tensor, "benign layer width"]
) -> Float[Tensor, " layer"]:
    """How far the anchors' means lie apart after each block."""
    apart: Tensor = torch.linalg.vector_norm(harmful.mean(dim=0) - benign.mean(dim=0), dim=-1)
    return apart


def random_vectors(layers: int, width: int, seed: int) -> Float[Tensor, "layer width"]:
    """Unit vectors in directions that mean nothing: the control."""
    drawn = torch.randn(layers, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def shuffled_vectors(
    harmful: Float[Tensor, "harmful layer width"], benign: Float[Tensor, "benign layer width"], seed: int
) -> Float[Tensor, "layer width"]:
    """Unit vectors between means of as many anchors each, drawn by lot from both: the control of the labels."""
    states = torch.cat([harmful, benign])
    order = torch.randperm(len(states), generator=torch.Generator().manual_seed(seed))
    return refusal_vectors(states[order[: len(harmful)]], states[order[len(harmful) :]])


def median_norms(states: Float[Tensor, "prompt layer width"]) -> Float[Tensor, " layer"]:
    """How long the residual stream is after each block; the median, since single tokens can be far longer."""
    norms: Tensor = torch.linalg.vector_norm(states, dim=-1)
    return norms.quantile(0.5, dim=0)
