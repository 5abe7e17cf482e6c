"""SCANS by the letter: one prompt at a time, no cache, no padding, one addition after another."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.base import Prompt
from harness.transformers_model import TransformersModel


class Spoken(NamedTuple):
    """A greedy continuation, and the logits from which each of its tokens was taken."""

    tokens: tuple[int, ...]
    logits: Tensor


@torch.no_grad()
def states(model: TransformersModel, ids: Sequence[int]) -> list[Tensor]:
    """h^l of every token, by block; transformers gives the last block's after the final norm, so a hook reads that."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor | tuple[Tensor, ...]) -> None:
        kept.append((output[0] if isinstance(output, tuple) else output)[0])

    handle = model.blocks[-1].module.register_forward_hook(keep)
    output = model.network(input_ids=torch.tensor([list(ids)]), output_hidden_states=True)
    handle.remove()
    return [*(state[0] for state in output.hidden_states[1:-1]), kept[0]]


def with_sure(model: TransformersModel, prompt: Prompt) -> list[int]:
    """P(q) with 'Sure' behind it."""
    return [*model.encode(prompt).ids, *model.tokenizer("Sure", add_special_tokens=False)["input_ids"]]


def mean(vectors: Sequence[Tensor]) -> Tensor:
    total = torch.zeros_like(vectors[0])
    for vector in vectors:
        total += vector
    return total / len(vectors)


def refusal_vector(model: TransformersModel, harmful: Sequence[Prompt], benign: Sequence[Prompt], layer: int) -> Tensor:
    """v^l: mean state of the last prompt token over harmful minus benign, divided by its length."""

    def last(prompt: Prompt) -> Tensor:
        return states(model, model.encode(prompt).ids)[layer][-1]

    difference = mean([last(prompt) for prompt in harmful]) - mean([last(prompt) for prompt in benign])
    return difference / difference.square().sum().sqrt()


def transition(model: TransformersModel, prompt: Prompt, start: str, layer: int) -> Tensor:
    """t^l(q): the state where the transition starts minus that of 'Sure'."""
    tokens = model.encode(prompt)
    found = states(model, with_sure(model, prompt))[layer]
    return found[tokens.last if start == "last_prompt_token" else tokens.user_end] - found[-1]


def similarity(
    model: TransformersModel, prompt: Prompt, harmful: Sequence[Prompt], start: str, first_layer: int
) -> float:
    """Mean over layers of the cosine between the prompt's transition and the mean of the harmful anchors'."""
    cosines = []
    for layer in range(first_layer, len(model.blocks)):
        reference = mean([transition(model, anchor, start, layer) for anchor in harmful])
        own = transition(model, prompt, start, layer)
        cosines.append(float(own @ reference / (own.square().sum().sqrt() * reference.square().sum().sqrt())))
    return sum(cosines) / len(cosines)


@torch.no_grad()
def steered_logits(
    model: TransformersModel, ids: Sequence[int], first: int, sign: int, vectors: Mapping[int, Tensor]
) -> Tensor:
    """Logits at every token, `sign * vectors[l]` added after block l at every token from `first` on."""
    handles = []
    for layer, vector in vectors.items():

        def add(
            _: nn.Module, __: object, output: Tensor | tuple[Tensor, ...], vector: Tensor = vector
        ) -> Tensor | tuple[Tensor, ...]:
            stream = (output[0] if isinstance(output, tuple) else output).clone()
            for token in range(first, stream.shape[1]):
                stream[0, token] += sign * vector
            return (stream, *output[1:]) if isinstance(output, tuple) else stream

        handles.append(model.blocks[layer].module.register_forward_hook(add))
    logits: Tensor = model.network(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return logits


def speak(model: TransformersModel, prompt: Prompt, sign: int, vectors: Mapping[int, Tensor], count: int) -> Spoken:
    """Greedy tokens under steering, at most `count`, ended by the end of the turn."""
    ids = list(model.encode(prompt).ids)
    first, logits, spoken = len(ids) - 1, [], []
    for _ in range(count):
        logits.append(steered_logits(model, ids, first, sign, vectors)[-1])
        token = int(logits[-1].argmax())
        if token == model.tokenizer.eos_token_id:
            break
        spoken.append(token)
        ids.append(token)
    return Spoken(tuple(spoken), torch.stack(logits))
