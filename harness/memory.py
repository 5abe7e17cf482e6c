"""How much memory a model will take, from its configuration alone, and how much there is."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.base import ModelSpec

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

TRAINING_TOKENS = 2048
"""Of all rows of a pass with gradients, unless one pair alone has more: fits bound their passes so."""
_QUANTISED = {"8bit": 1.0, "4bit": 0.6}
"""Bytes a parameter, scales included."""
_WIDTHS_KEPT, _NEURONS_KEPT = 10, 4
"""Tensors of a block that a backward pass keeps: as wide as the residual stream, and as the feed-forward part."""
_WIDTHS_AT_ONCE, _NEURONS_AT_ONCE = 6, 3
"""Tensors that a block holds while it runs without gradients; the next block takes their room."""
_FLOAT32 = 4
_GROUP = Path("/sys/fs/cgroup")


class Memory(NamedTuple):
    """Bytes, by what takes them."""

    weights: int
    generation: int
    """A batch of the longest prompts and replies: keys and values, and the block that reads the prompts."""
    scoring: int
    """Logits of such replies, and their logarithms."""
    training: int
    """What a pass keeps for its gradients, and logits with theirs; 0 where no method takes any."""

    @property
    def total(self) -> int:
        """The most at any time: a run does one after the other."""
        return self.weights + max(self.generation, self.scoring, self.training)


class Batch(NamedTuple):
    """What is asked of the model at once."""

    rows: int
    prompt_tokens: int
    """Of the longest prompt."""
    reply_tokens: int
    has_gradients: bool


class _Shape(NamedTuple):
    """Of what flows through the blocks."""

    blocks: int
    width: int
    neurons: int
    pairs: int
    """Numbers that the keys and values of one token take, of all blocks."""


def estimate(config: "PretrainedConfig", spec: ModelSpec, dtype: "torch.dtype | str", batch: Batch) -> Memory:
    """A rough reckoning; buffers of kernels and the fragments of an allocator come on top."""
    import torch

    text = config.get_text_config()
    own = getattr(config, "dtype", None) or torch.float32
    size = (dtype if isinstance(dtype, torch.dtype) else own).itemsize
    shape, vocabulary = _shape(text), int(text.vocab_size)
    logits = size + _FLOAT32 * (size != _FLOAT32)  # made in the model's type, taken in float32
    read = logits + _FLOAT32  # with their logarithms
    rows, length = batch.rows, batch.prompt_tokens + batch.reply_tokens
    running = size * (_WIDTHS_AT_ONCE * shape.width + _NEURONS_AT_ONCE * shape.neurons)
    kept = size * shape.blocks * (_WIDTHS_KEPT * shape.width + _NEURONS_KEPT * shape.neurons)
    tuned = batch.has_gradients * max(1, TRAINING_TOKENS // max(1, length))
    return Memory(
        weights=round(parameters(config) * _QUANTISED.get(spec.quantize or "", size)),
        generation=rows * (size * shape.pairs * length + running * batch.prompt_tokens + read * vocabulary),
        scoring=rows * max(running * length, read * vocabulary * batch.reply_tokens),
        training=tuned * (kept * length + (read + logits) * vocabulary * batch.reply_tokens),
    )


def _shape(text: "PretrainedConfig") -> _Shape:
    heads, neurons = text.num_attention_heads, getattr(text, "intermediate_size", None)
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    pairs = 2 * text.num_hidden_layers * (getattr(text, "num_key_value_heads", None) or heads) * width
    return _Shape(text.num_hidden_layers, text.hidden_size, neurons or 4 * text.hidden_size, pairs)


def parameters(config: "PretrainedConfig") -> int:
    """How many the network has; it is built without memory for them."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    return sum(parameter.numel() for parameter in network.parameters())


def free_bytes(device: "torch.device", *, is_spread: bool) -> int:
    """What is free on a device; on all GPUs together where the model is spread over them."""
    import torch

    if device.type == "cuda":
        devices = range(torch.cuda.device_count()) if is_spread else [device]
        return sum(torch.cuda.mem_get_info(one)[0] for one in devices)
    return _free_on_the_machine()


def machine_bytes() -> int:
    """What is built into the machine, or the part of it that this process' control group may have."""
    import os

    return min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), _of_group("memory.max") or sys.maxsize)


def _free_on_the_machine() -> int:
    """By the kernel, which counts what it could give back; without one that tells, all that may be had."""
    most, used = _of_group("memory.max"), _of_group("memory.current")
    left = sys.maxsize if most is None or used is None else max(0, most - used)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return min(machine_bytes(), left)
    facts = dict(line.split(":", 1) for line in lines)
    return min(int(facts["MemAvailable"].split()[0]) * 1024, left)


def _of_group(name: str) -> int | None:
    """A number of the control group, as a container has one; None without one, or without a limit."""
    try:
        text = (_GROUP / name).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
