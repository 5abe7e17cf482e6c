"""How much faster attribution is than one hook and one pass for every layer and path point: `pytest -m speed -s`."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch

from benchmarks.registry import load_alignment
from harness.embedded.tokenizer import build
from harness.embedded.train import new_model
from harness.transformers_model import TransformersModel
from methods.base import ChatModel
from methods.neurontune.attribution import attribute, contrast_case
from methods.neurontune.samples import strategies
from methods.neurontune.settings import NeuronTuneSettings
from methods.teacher_forcing import Pair, encode_pair
from tests.methods.literal_attribution import literal_attribution

T = TypeVar("T")
SETTINGS = NeuronTuneSettings(path_refinements=0)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.monotonic()
    value = work()
    return time.monotonic() - started, value


def embedded_shape() -> TransformersModel:
    """The embedded model's architecture with larger random weights: cost depends on the shape alone."""
    tokenizer = build()
    network = new_model(len(tokenizer))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4)
    return TransformersModel("embedded shape", network, tokenizer)


def samples(model: ChatModel) -> list[tuple[Pair, Pair]]:
    """One attacked question of each single strategy, and the same asked plainly."""
    prompts = [found[0] for found in strategies(load_alignment("embedded")).values()]
    return [
        (
            encode_pair(model, prompt, prompt.references.safe or ""),
            encode_pair(model, prompt.without_attack(), prompt.references.safe or ""),
        )
        for prompt in prompts
    ]


@pytest.mark.speed
def test_attribution_is_faster_than_one_hook_per_layer_and_point_with_the_same_scores() -> None:
    model = embedded_shape()
    ratios = []
    for number, (attacked, plain) in enumerate(samples(model)):
        ours_seconds, ours = timed(
            lambda attacked=attacked, plain=plain: attribute(
                model, contrast_case(model, attacked, plain, SETTINGS.position), SETTINGS
            )
        )
        literal_seconds, literal = timed(
            lambda attacked=attacked, plain=plain: literal_attribution(model, attacked, plain, SETTINGS)
        )
        assert (ours.scores - literal.scores).abs().max() <= 1e-3 * literal.scores.abs().max()
        ratios.append(literal_seconds / ours_seconds)
        print(
            f"sample {number + 1}: {ours_seconds:.2f} s, literally {literal_seconds:.2f} s ({ratios[-1]:.1f} times); "
            f"{ours.forward_equivalents:.0f} against {2 * literal.passes} forward equivalents"
        )
    assert min(ratios) > 1
