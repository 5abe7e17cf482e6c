"""The hidden states that are checked: of a prompt's last token, or of the first token of the reply to it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.base import Prompt
from methods.base import Block, ChatModel
from methods.padding import padded
from methods.residual import changed_outputs, read_in_passes, read_states


def question_states(model: ChatModel, prompts: Sequence[Prompt], site: str) -> Float[Tensor, "prompt layer width"]:
    """The residual stream after every block at the site, one row a prompt, in float32 on the CPU.

    Fitting and serving read it alike: by calling the network directly, so arms that act on replies alone stand still.
    """
    rows = [model.encode(prompt).ids for prompt in prompts]
    if site == "last_prompt_token":
        return read_states(model, rows, [[len(row) - 1] for row in rows])[:, 0]
    return read_in_passes(rows, lambda part: _first_reply_states(model, [rows[number] for number in part]))


def passes(model: ChatModel, prompts: Sequence[Prompt], site: str) -> float:
    """Forward equivalents of `question_states`: one each, and a token more where one is generated."""
    if site == "last_prompt_token":
        return float(len(prompts))
    return sum(1 + 1 / len(model.encode(prompt).ids) for prompt in prompts)


@torch.no_grad()
def _first_reply_states(model: ChatModel, rows: Sequence[Sequence[int]]) -> Float[Tensor, "row layer width"]:
    """Read the prompts, write the likeliest token, and keep the stream at that token.

    Padding on the left, as in generation: between a prompt and its reply it would widen what a sliding window sees.
    """
    ids, mask = padded(rows, model.device, "left")
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    read = model.network(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1)
    layers: list[Tensor] = []

    def keep(_: Block, stream: Tensor) -> Tensor:
        layers.append(stream[:, -1].float().cpu())
        return stream

    with changed_outputs(model.blocks, keep):
        model.network(
            input_ids=read.logits[:, -1:].argmax(dim=-1),
            attention_mask=torch.cat([mask, mask[:, -1:]], dim=1),
            position_ids=positions[:, -1:] + 1,
            past_key_values=read.past_key_values,
            use_cache=True,
            logits_to_keep=1,
        )
    return torch.stack(layers, dim=1)
