"""Surroundings: a model inside other arms, in half precision, and behind an engine that shows only what is needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import torch

from harness.conformance.answers import answers
from harness.conformance.material import questions
from harness.conformance.subject import Subject, Violation
from harness.integrity import NetworkState
from methods.wrapped import Wrapped

if TYPE_CHECKING:
    from torch import nn

    from methods.base import Block


def nested(subject: Subject) -> None:
    """An arm works on a model that other arms stand before, and another can be fitted while it is applied."""
    with subject.arm().applied(Wrapped(subject.model())) as protected:
        change = subject.usual.change(answers(protected, questions()), tolerance=0.0)
        if change:
            raise Violation(f"applied to a model inside another arm's, {change}")
        with subject.fit(protected).applied(protected) as twice:
            answers(twice, questions())


def half_precision(subject: Subject) -> None:
    """A method works on a model in bfloat16."""
    model = subject.model()
    model.network.to(torch.bfloat16)
    with subject.fit(model).applied(model) as protected:
        found = answers(protected, questions())
    for prompt, scores in found.log_probabilities.items():
        if not all(bool(row.isfinite().all()) for row in scores):
            raise Violation(f"in bfloat16, a log-probability after '{prompt}' is not finite")


def needs(subject: Subject) -> None:
    """What a method does to the network is named in its needs."""
    named, model = subject.kind.needs, subject.model()
    if not (named.activations or named.gradients or named.weights or named.neurons):
        with subject.fit(_Closed(model)).applied(_Closed(model)) as protected:
            answers(protected, questions())
    if subject.shared.passes.backward_rows and not named.gradients:
        raise Violation("the fit differentiated through the network, and 'needs' does not name gradients")
    before = NetworkState.of(model)
    with subject.arm().applied(model):
        inside = NetworkState.of(model)
    if inside.tensors != before.tensors and not named.weights:
        raise Violation("weights are edited while the arm is applied, and 'needs' does not name them")
    if inside.hooks != before.hooks and not named.activations:
        raise Violation("hooks are set while the arm is applied, and 'needs' does not name activations")


class _Closed(Wrapped):
    """A model behind an engine that shows nothing of it."""

    @property
    def network(self) -> "nn.Module":
        _refuse("network")

    @property
    def blocks(self) -> "Sequence[Block]":
        _refuse("blocks")


def _refuse(part: str) -> NoReturn:
    raise Violation(f"the model's '{part}' was used, and 'needs' names nothing that it is for")
