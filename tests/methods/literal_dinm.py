"""DINM's formulas, slowly and literally: one token, one entry and one sequence at a time, and Adam written out."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.base import Prompt
from harness.transformers_model import TransformersModel
from methods.dinm.instances import Instance, Lesson
from tests.methods.tiny_models import embedded_data

SILENT = lambda stage, done, total: None  # noqa: E731, ARG005


def instance(number: int = 0) -> Instance:
    """A short attacked question and a plain benign one."""
    attacked = sorted((prompt for prompt in embedded_data().harmful() if prompt.attack), key=_length)
    plain = sorted((prompt for prompt in embedded_data().benign() if not prompt.attack), key=_length)
    return Instance(attacked[number], plain[number])


def _length(prompt: Prompt) -> int:
    return len(prompt.messages[0].content)


def literal_states(model: TransformersModel, ids: Sequence[int]) -> list[Tensor]:
    """Residual stream after every block, from `transformers`; the last before the final norm, by a hook."""
    last: list[Tensor] = []
    norm = model.network.get_submodule("model.norm")
    handle = norm.register_forward_pre_hook(lambda _, args: last.append(args[0]))
    with torch.no_grad():
        states = model.network(input_ids=torch.tensor([list(ids)]), output_hidden_states=True).hidden_states
    handle.remove()
    return [state[0] for state in (*states[1:-1], last[0])]


def literal_distances(model: TransformersModel, lesson: Lesson, *, normalised: bool) -> list[float]:
    """After the prompt, over the tokens that both replies have."""
    safe = literal_states(model, (*lesson.prompt, *lesson.safe))
    unsafe = literal_states(model, (*lesson.prompt, *lesson.unsafe))
    start, count = len(lesson.prompt), min(len(lesson.safe), len(lesson.unsafe))
    found = []
    for one, other in zip(safe, unsafe, strict=True):
        squares, lengths = 0.0, []
        for token in range(start, start + count):
            squares += float(((one[token] - other[token]) ** 2).sum())
            lengths += [float(one[token].norm()), float(other[token].norm())]
        found.append(math.sqrt(squares) / (sum(lengths) / len(lengths) if normalised else 1))
    return found


def literal_divergence(first: Tensor, second: Tensor) -> float:
    """KL(first || second) of two tables of logits, mean over rows."""
    total = 0.0
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        p, q = softmax(one), softmax(other)
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(first)


def softmax(logits: Sequence[float]) -> list[float]:
    total = sum(map(math.exp, logits))
    return [math.exp(logit) / total for logit in logits]


def log_probabilities_after(network: torch.nn.Module, prompt: Sequence[int], reply: Sequence[int]) -> Tensor:
    """One row for each reply token: what is predicted in its place."""
    logits = network(input_ids=torch.tensor([[*prompt, *reply]])).logits[0]
    return logits[len(prompt) - 1 : len(prompt) + len(reply) - 1].log_softmax(dim=1)


def literal_nll(network: torch.nn.Module, prompt: Sequence[int], reply: Sequence[int], labels: Sequence[int]) -> Tensor:
    rows = log_probabilities_after(network, prompt, reply)
    return -sum((rows[index, label] for index, label in enumerate(labels)), torch.tensor(0.0)) / len(labels)


def literal_steps(
    model: TransformersModel, lesson: Lesson, weight: str, steps: int, rate: float, *, edit_weight: float, is_felt: bool
) -> Tensor:
    """The change of one weight after a few steps on a copy of the network; `is_felt`: the constraint has a gradient."""
    network = copy.deepcopy(model.network)
    parameter = dict(network.named_parameters())[weight].requires_grad_()
    start = parameter.detach().clone()
    with torch.no_grad():
        before = log_probabilities_after(network, lesson.answer.prompt, lesson.answer.reply)
    first, second = torch.zeros_like(start), torch.zeros_like(start)
    for step in range(1, steps + 1):
        loss = edit_weight * literal_nll(network, *lesson.refusal)
        if is_felt:
            after = log_probabilities_after(network, lesson.answer.prompt, lesson.answer.reply)
            loss = loss + (before.exp() * (before - after)).sum() / len(before)
        (slope,) = torch.autograd.grad(loss, parameter)
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        move = rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        parameter.data = parameter.data - move
    return parameter.detach() - start
