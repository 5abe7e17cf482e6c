"""Flags that several commands share: how a model is loaded and asked, and which of them were given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Model = Annotated[str | None, typer.Option(help="Built-in name, hub id, folder or GGUF file.  [default: embedded]")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of the model on the hub.")]
Engine = Annotated[str | None, typer.Option(help="What runs the model.  [default: transformers]")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.  [default: auto]")]
DeviceMap = Annotated[str | None, typer.Option(help="Spread the model over devices with accelerate: auto, balanced.")]
Dtype = Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.  [default: auto]")]
Quantize = Annotated[str | None, typer.Option(help="8bit or 4bit, with bitsandbytes; no arm may edit weights then.")]
Attention = Annotated[str | None, typer.Option(help="sdpa, eager or flash_attention_2.  [default: the model's own]")]
TrustRemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the model.")]
SystemPrompt = Annotated[str | None, typer.Option(help="System turn of every prompt.  [default: the template's own]")]
Date = Annotated[str | None, typer.Option(help="What templates are told today is.  [default: 2024-07-26]")]
ControlTokens = Annotated[
    str | None, typer.Option(help="Special tokens that prompts spell out: kept or escaped.  [default: kept]")
]
MaxNewTokens = Annotated[str | None, typer.Option(help="Longest reply in tokens.  [default: 512]")]
Cluster = Annotated[str | None, typer.Option(help="ray: cells side by side, on all GPUs or cores that there are.")]
ClusterAddress = Annotated[
    str | None, typer.Option(help="Of a running cluster: auto, host:port.  [default: a new one]")
]
GpusPerCell = Annotated[
    str | None, typer.Option(help="GPUs of each worker, or a share.  [default: 1 if there are any]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
Workers = Annotated[str | None, typer.Option(help="The most at once.  [default: as many as there is room for]")]


def given(params: Mapping[str, Any], renamed: Mapping[str, str], without: Sequence[str]) -> dict[str, object]:
    """Flags that were given, by name."""
    return {
        renamed.get(name, name): value
        for name, value in params.items()
        if name not in without and value not in (None, False, [], ())
    }


def of_run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Flags of `run` over those of its file, for `build_config`."""
    from harness.config_file import read_config_file

    path = params["config"]
    flags = given(params, {"seed": "seeds"}, without=("config", "dry_run", "as_json"))
    return (read_config_file(Path(path)) if path else {}) | flags
