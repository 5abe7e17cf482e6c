"""Equation 4 of NeuronTune to the letter, slowly: a whole forward pass for every layer and every point of the path."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from methods.base import ChatModel
from methods.neurontune.settings import NeuronTuneSettings
from methods.teacher_forcing import Pair


class LiteralAttribution(NamedTuple):
    scores: Float[Tensor, "layer neuron"]
    passes: int
    """Whole forward passes, each with a backward pass."""


def literal_attribution(
    model: ChatModel, attacked: Pair, plain: Pair | None, settings: NeuronTuneSettings
) -> LiteralAttribution:
    """Layer by layer; from the plain question's activations, or from zero where there is none."""
    length = span_length(attacked, plain, settings.position)
    end = clean_activations(model, attacked, span(attacked, length, settings.position))
    begin = (
        clean_activations(model, plain, span(plain, length, settings.position))
        if plain
        else [torch.zeros_like(values) for values in end]
    )
    scores = []
    for layer in range(len(end)):
        total = torch.zeros_like(end[layer])
        for step in range(1, settings.path_steps + 1):
            alpha = (step if settings.path_rule == "right" else step - 0.5) / settings.path_steps
            total += _gradient(model, attacked, layer, begin[layer], end[layer], alpha, settings)
        scores.append(((end[layer] - begin[layer]) * total / settings.path_steps).sum(dim=0))
    return LiteralAttribution(torch.stack(scores), len(end) * settings.path_steps)


def _gradient(
    model: ChatModel,
    pair: Pair,
    layer: int,
    begin: Tensor,
    end: Tensor,
    alpha: float,
    settings: NeuronTuneSettings,
) -> Tensor:
    """Of the objective by the activation on the path, or by the path's end as IRCAN's code takes it."""
    finish = end.clone().requires_grad_()
    value = begin + alpha * (finish - begin)
    leaf = finish
    if not settings.ircan_alpha_weight:
        leaf = value = value.detach().requires_grad_()
    first = span(pair, len(end), settings.position).start
    logits = logits_with(model, pair, layer, first, value)
    (gradient,) = torch.autograd.grad(literal_objective(logits, pair.reply, settings.objective), leaf)
    return gradient


def logits_with(model: ChatModel, pair: Pair, layer: int, first: int, value: Tensor) -> Tensor:
    """Predictions of the response's tokens, with one layer's neurons overwritten from position `first` on."""

    def overwrite(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        changed = args[0].clone()
        changed[0, first : first + len(value)] = value
        return (changed,)

    handle = model.blocks[layer].dense.down_projection.register_forward_pre_hook(overwrite)
    try:
        return reply_predictions(model, pair)
    finally:
        handle.remove()


def reply_predictions(model: ChatModel, pair: Pair) -> Float[Tensor, "target vocabulary"]:
    """Logits that predict the response's tokens, from one whole pass without a cache."""
    ids = torch.tensor([[*pair.prompt, *pair.reply]], device=model.device)
    logits: Tensor = model.network(input_ids=ids, use_cache=False).logits
    return logits[0, len(pair.prompt) - 1 : -1]


def literal_objective(logits: Tensor, reply: tuple[int, ...], kind: str) -> Tensor:
    """In float64, where the product of a few dozen probabilities is still a number."""
    probabilities = torch.stack([row.double().softmax(dim=0)[token] for row, token in zip(logits, reply, strict=True)])
    return {
        "mean_log_probability": probabilities.log().mean(),
        "first_token_probability": probabilities[0],
        "geometric_mean_probability": probabilities.log().mean().exp(),
        "product_probability": probabilities.prod(),
    }[kind]


def clean_activations(model: ChatModel, pair: Pair, positions: slice) -> list[Float[Tensor, "position neuron"]]:
    """Every layer's neurons at some positions, read by a hook of its own each."""
    seen: list[Tensor] = []

    def read(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        seen.append(args[0][0, positions].detach().clone())

    handles = [block.dense.down_projection.register_forward_pre_hook(read) for block in model.blocks]
    with torch.no_grad():
        reply_predictions(model, pair)
    for handle in handles:
        handle.remove()
    return seen


def span_length(attacked: Pair, plain: Pair | None, position: str) -> int:
    """How many positions move (A2)."""
    if position == "last_prompt_token" or (plain is None and position == "question_span"):
        return 1
    if position == "response_all" or plain is None:
        return len(attacked.reply)
    length = 0
    while length + 1 < len(plain.prompt) and attacked.prompt[-length - 1 :] == plain.prompt[-length - 1 :]:
        length += 1
    return length


def span(pair: Pair, length: int, position: str) -> slice:
    """The positions that move: up to the last prompt token, or from it on for those that predict the response."""
    last = len(pair.prompt) - 1
    return slice(last, last + length) if position == "response_all" else slice(last - length + 1, last + 1)
