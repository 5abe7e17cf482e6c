"""Decoding is greedy on every engine: what a checkpoint's generation configuration asks for besides is left out."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.base import ModelSpec
from harness.checkpoints import Checkpoint
from harness.findings import Findings, Level

if TYPE_CHECKING:
    from torch import nn
    from transformers import GenerationConfig, PreTrainedModel

_KEPT = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
_SAYS_NOTHING = ("transformers_version", "_from_model_config", "max_length", "max_new_tokens", "use_cache")
"""Of how tokens are chosen; the length of replies is a setting of the run."""
_SAMPLING = {
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "top_h",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
}
"""What greedy decoding never looks at; anything else would change its replies."""
_LONGEST = 40
"""Characters of a value that are shown."""


def left_out(configuration: "GenerationConfig | None") -> dict[str, Any]:
    """What it asks for besides its special tokens, by name; nothing that transformers would do by itself."""
    if configuration is None:
        return {}
    asked: dict[str, Any] = json.loads(configuration.to_json_string(use_diff=True))
    usual = configuration._get_default_generation_params()
    return {
        name: value
        for name, value in asked.items()
        if name not in (*_KEPT, *_SAYS_NOTHING) and value not in (None, False, usual.get(name))
    }


def decoding_facts(network: "nn.Module") -> dict[str, Any]:
    """For the protocol: the tokens that end a reply besides those of tokenizer and template, and what is left out."""
    configuration = getattr(network, "generation_config", None)
    return {"end_tokens": getattr(configuration, "eos_token_id", None), "decoding_left_out": left_out(configuration)}


@contextmanager
def greedy(network: "PreTrainedModel") -> Iterator[None]:
    """Keep the network's own configuration out of `generate`, which fills whatever it is not given from there."""
    from transformers import GenerationConfig

    published = network.generation_config
    network.generation_config = GenerationConfig()
    try:
        yield
    finally:
        network.generation_config = published


def look_at_decoding(spec: ModelSpec, checkpoint: Checkpoint, findings: Findings) -> None:
    """Tell what is left out; a warning where greedy replies would be others with it."""
    asked = left_out(_published(spec, checkpoint))
    if asked:
        level = Level.OK if set(asked) <= _SAMPLING else Level.WARNING
        text = f"the generation configuration of model '{spec.name}' asks for {_shown(asked)}"
        findings.add("decoding", level, f"{text}; replies are greedy without it")


def _published(spec: ModelSpec, checkpoint: Checkpoint) -> "GenerationConfig":
    """As transformers reads it: from its own file, or from the model's configuration where there is none."""
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(checkpoint.where, revision=spec.revision or "main")
    except OSError:
        return GenerationConfig.from_model_config(checkpoint.config)


def _shown(asked: Mapping[str, Any]) -> str:
    values = {name: json.dumps(value) for name, value in asked.items()}
    return ", ".join(
        f"{name}={value if len(value) <= _LONGEST else value[:_LONGEST] + '...'}" for name, value in values.items()
    )
