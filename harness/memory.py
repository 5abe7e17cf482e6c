"""How much memory a model will take, from its configuration alone, and how much there is."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.base import ModelSpec

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

PATH_POINTS = 20
"""Sequences at once in a pass with gradients: the points of an attribution's path, by default."""
_QUANTISED = {"8bit": 1.0, "4bit": 0.6}
"""Bytes a parameter, scales included."""
_WIDTHS, _NEURONS = 10, 4
"""Tensors of a block that a backward pass keeps: as wide as the residual stream, and as the feed-forward part."""


class Memory(NamedTuple):
    """Bytes, by what takes them."""

    weights: int
    cache: int
    """Keys and values of a batch of the longest prompts with the longest replies."""
    gradients: int
    """Activations that a backward pass keeps."""

    @property
    def total(self) -> int:
        """The most at any time: a fit keeps no long cache, so the larger of the two counts."""
        return self.weights + max(self.cache, self.gradients)


class Batch(NamedTuple):
    """What is asked of the model at once."""

    rows: int
    prompt_tokens: int
    """Of the longest prompt."""
    reply_tokens: int
    has_gradients: bool


def estimate(config: "PretrainedConfig", spec: ModelSpec, dtype: "torch.dtype | str", batch: Batch) -> Memory:
    """A rough reckoning; buffers of kernels and the fragments of an allocator come on top."""
    import torch

    text = config.get_text_config()
    own = getattr(config, "dtype", None) or torch.float32
    size = (dtype if isinstance(dtype, torch.dtype) else own).itemsize
    heads = text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    pairs = 2 * text.num_hidden_layers * (getattr(text, "num_key_value_heads", None) or heads) * width
    neurons = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    kept = text.num_hidden_layers * (_WIDTHS * text.hidden_size + _NEURONS * neurons)
    return Memory(
        weights=round(parameters(config) * _QUANTISED.get(spec.quantize or "", size)),
        cache=pairs * size * batch.rows * (batch.prompt_tokens + batch.reply_tokens),
        gradients=batch.has_gradients * kept * size * PATH_POINTS * batch.prompt_tokens,
    )


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


def _free_on_the_machine() -> int:
    """By the kernel, which counts what it could give back; without one that tells, all that is built in."""
    import os

    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = dict(line.split(":", 1) for line in lines)
    return int(facts["MemAvailable"].split()[0]) * 1024
