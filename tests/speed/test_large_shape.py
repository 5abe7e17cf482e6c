"""What the fits cost on a model of a given shape: `EQUIPOISE_SHAPE=llama3.1-8b pytest -m speed -s tests/speed`.

The model is made at random on the device itself: cost depends on the shape alone, and no hub is needed. Without the
variable the shape is `small`, on whatever device there is. In bfloat16 on a GPU, in float32 on a CPU.

The figures beside the counts are what each stage should take by arithmetic, in passes of one sequence through all
blocks: they tell a count that has gone wrong, and turn into seconds on another machine.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import cycle, islice
from typing import Any, NamedTuple

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks.base import AlignmentData, Message, Prompt
from benchmarks.registry import load_alignment
from harness.embedded.tokenizer import build
from harness.transformers_model import TransformersModel
from methods.registry import METHODS
from methods.settings import build_settings


class Shape(NamedTuple):
    """Of a Llama, and of what it is asked."""

    layers: int
    width: int
    neurons: int
    heads: int
    shared_heads: int
    """Of keys and values."""
    words: int
    attacked: int
    """Words of an attacked question."""
    reply: int
    """Words of a reference reply."""


SHAPES: Mapping[str, Shape] = {
    "llama3.1-8b": Shape(32, 4096, 14336, 32, 8, 128256, attacked=450, reply=100),
    "small": Shape(4, 128, 384, 4, 2, 2048, attacked=40, reply=16),
}
NAME = os.environ.get("EQUIPOISE_SHAPE", "small")
FACTOR = 3.0
"""Within which counts and cost model agree."""
LIMIT_SECONDS = 300.0
"""For the whole NeuronTune fit of the large shape on one GPU of the H200's class."""


@dataclass
class Clock:
    """Progress that adds up the seconds of every stage: a stage lasts until the next one is told."""

    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = "before"
    _since: float = field(default_factory=time.monotonic)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Charge the time since the last call to the stage of that call."""
        now = time.monotonic()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = (stage if done < total else "after"), now


@cache
def model(name: str) -> TransformersModel:
    """Random weights of that shape, made where they are used."""
    shape = SHAPES[name]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = LlamaConfig(
        vocab_size=shape.words, hidden_size=shape.width, intermediate_size=shape.neurons,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.shared_heads,
        max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        network = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return TransformersModel(f"random {name}", network, build())


def data(shape: Shape) -> AlignmentData:
    """The embedded set, its attacked questions and its replies stretched to lengths that published ones have."""
    whole = load_alignment("embedded")
    return AlignmentData(
        "stretched",
        tuple(_stretched(prompt, shape) for prompt in whole.train),
        tuple(_stretched(prompt, shape) for prompt in whole.dev),
    )


def _stretched(prompt: Prompt, shape: Shape) -> Prompt:
    texts = {name: getattr(prompt.references, name) for name in ("safe", "unsafe", "useful")}
    references = replace(
        prompt.references, **{name: _repeated(text, shape.reply) for name, text in texts.items() if text}
    )
    if prompt.attack is None:
        return replace(prompt, references=references)
    (message,) = prompt.messages
    messages = (Message(message.role, _repeated(message.content, shape.attacked)),)
    return replace(prompt, messages=messages, references=references)


def _repeated(text: str, count: int) -> str:
    return " ".join(islice(cycle(text.split()), count))


Figures = Mapping[str, float]
"""Forward equivalents by stage."""


def neurontune(settings: Any, shape: Shape, samples: float) -> Figures:  # noqa: ANN401 - of each method its own
    """A layer's path runs through half of the blocks on average, there and back, for the reply's tokens alone.

    Benign questions are attacked too, and the beginning of every path is a row of its own.

    An epoch goes through both local sets at every inner step, through a batch of each global set, and through both
    validation sets, which take no gradient.
    """
    reply = min(shape.reply, settings.reply_tokens)
    replayed = reply / (shape.attacked + reply)
    rows = settings.inner_steps * settings.local_samples + settings.batch_size
    return {
        "attribution": samples * shape.layers * (settings.path_steps + 1) * replayed,
        "adaptation": settings.epochs * 2 * (2 * rows + settings.validation_samples),
    }


def dinm(settings: Any, *_: object) -> Figures:  # noqa: ANN401
    """A pass for every step on the refusal and one on what is to stay, each with a tenth of one back."""
    return {"location": 2 * settings.instances, "editing": settings.instances * (2.2 * settings.steps + 1)}


def scans(settings: Any, *_: object) -> Figures:  # noqa: ANN401
    """Vectors and reference from the same passes."""
    return {"anchors": 2 * settings.anchors}


def cavgan(settings: Any, *_: object) -> Figures:  # noqa: ANN401
    """One pass a question, of both kinds, and one more for the token after it."""
    return {"reading states": 2 * 2 * settings.questions}


COST_MODEL: Mapping[str, Callable[..., Figures]] = {
    "neurontune": neurontune,
    "dinm": dinm,
    "scans": scans,
    "cavgan": cavgan,
}


@pytest.mark.speed
@pytest.mark.parametrize("name", COST_MODEL)
def test_a_fit_takes_what_the_cost_model_says(name: str) -> None:
    shape, subject, clock = SHAPES[NAME], model(NAME), Clock()
    method = METHODS[name](build_settings(METHODS[name].settings_type, _settings(name), name))
    method.check(subject, data(shape))
    cost = method.fit(subject, data(shape), 0, clock).cost
    clock("after", 0, 0)
    expected = COST_MODEL[name](method.settings, shape, _samples(cost.stages, cost.forward_equivalents_per_sample))
    print(f"\n{name} on {subject.name}, {subject.dtype}, {subject.device}: {cost.seconds:.1f} s", end="")
    peak = f"peak {cost.peak_bytes / 2**30:.2f} GiB beyond the weights"
    print(f", {cost.forward_equivalents:.0f} forward equivalents, {peak}")
    for stage, counted in cost.stages.items():
        by_model = f"{expected[stage]:.0f} by the cost model" if stage in expected else "not in the cost model"
        print(f"  {stage}: {counted:.0f} forward equivalents, {by_model}")
    for stage, seconds in clock.seconds.items():
        print(f"  {stage}: {seconds:.1f} s")
    for stage, figure in expected.items():
        assert figure / FACTOR < cost.stages[stage] < figure * FACTOR
    if name == "neurontune" and NAME != "small":
        assert cost.seconds < LIMIT_SECONDS


def _settings(name: str) -> dict[str, float]:
    """The defaults; counts of neurons as shares that a small model has as well."""
    return {"safety_neurons": 0.001, "utility_neurons": 0.003} if name == "neurontune" else {}


def _samples(stages: Figures, per_sample: float) -> float:
    """How many samples were attributed."""
    return stages["attribution"] / per_sample if per_sample else 0.0
