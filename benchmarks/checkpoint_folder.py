"""What is in a model folder, looked at before anything is read: one line for each thing that keeps it from loading."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from benchmarks.errors import UserError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_INDEX = "model.safetensors.index.json"
_WEIGHTS = "model.safetensors"
_DECODING = "generation_config.json"
"""A damaged one counts as none for transformers, and the end tokens that it names are lost without a word."""
_PARTS = (".incomplete", ".part", ".crdownload", ".aria2")
"""Ends of the names that programs give to a file while they download it."""
_ADAPTER = "adapter_config.json"
_POINTER = b"version https://git-lfs"


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no whole checkpoint with weights as safetensors and a tokenizer.

    Raises:
        UserError: Saying what it lacks, and what would do.
    """
    names = sorted(path.name for path in folder.iterdir())
    if "config.json" not in names:
        raise UserError(_not_a_model(folder, names))
    for name in ("config.json", *({_DECODING} & {*names})):
        _json(folder / name)
    if _ADAPTER in names:
        raise UserError(with_adapter(f"Model folder '{folder}'"))
    for name in _weights(folder, names):
        _check_header(folder / name)
    if not any(name in names for name in _TOKENIZERS):
        raise UserError(
            f"Model folder '{folder}' has no tokenizer. Save it there, too: AutoTokenizer.from_pretrained(ID)"
            ".save_pretrained(FOLDER)."
        )


def _not_a_model(folder: Path, names: list[str]) -> str:
    if _ADAPTER in names:
        base = _json(folder / _ADAPTER).get("base_model_name_or_path")
        return (
            f"Model folder '{folder}' holds an adapter of '{base}', not a whole model. Merge them with peft's "
            "merge_and_unload, save_pretrained the result, and give its folder."
        )
    held = f"it holds {', '.join(names[:5])}{', ...' * (len(names) > 5)}" if names else "it is empty"
    return f"Model folder '{folder}' has no config.json; {held}. Give a folder that save_pretrained has written."


def _weights(folder: Path, names: list[str]) -> list[str]:
    """Names of the files with weights, all of which are there."""
    if _WEIGHTS in names:
        return [_WEIGHTS]
    if _INDEX not in names:
        raise UserError(_no_weights(folder, names))
    places = _json(folder / _INDEX).get("weight_map")
    shards = sorted({str(shard) for shard in places.values()}) if isinstance(places, dict) else []
    if not shards:
        raise UserError(f"'{folder / _INDEX}' names no file with weights. Copy or download it again.")
    lacking = [shard for shard in shards if shard not in names]
    if lacking:
        raise UserError(
            f"Model folder '{folder}' lacks {len(lacking)} of the {len(shards)} files that {_INDEX} names, "
            f"'{lacking[0]}' first. Copy or download it again."
        )
    return shards


def _check_header(path: Path) -> None:
    """Refuse a file that ends before its last tensor does. Tensors are not read."""
    if not path.exists():
        raise UserError(f"'{path}' is a link to a file that is not there: a download was not finished. Repeat it.")
    try:
        with path.open("rb") as file:
            is_pointer = file.read(len(_POINTER)) == _POINTER
        if is_pointer:
            raise UserError(f"'{path}' is a pointer of Git LFS, not the weights. Run 'git lfs pull' in its folder.")
        with safe_open(path, framework="np"):
            pass
    except (OSError, SafetensorError) as error:
        size, reason = f"{path.stat().st_size:,} bytes", str(error).rpartition("header: ")[2]
        raise UserError(f"'{path}' ({size}) is damaged or cut short: {reason}. Copy or download it again.") from error


def pickled(whose: str, file: str) -> str:
    """What is said of a checkpoint with weights that could run code."""
    return (
        f"{whose} has its weights as pickle alone ({file}), which can run any code when it is read. Use a revision "
        "with safetensors, or convert it where you trust it: from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)."
    )


def with_adapter(whose: str) -> str:
    """What is said of a checkpoint that transformers loads in two ways, with the package peft and without."""
    return (
        f"{whose} holds an adapter ({_ADAPTER}), which transformers would apply or leave out by whether peft is "
        "installed. Merge it: peft's PeftModel.from_pretrained(MODEL, FOLDER).merge_and_unload().save_pretrained("
        "NEW_FOLDER); or take it out of the folder."
    )


def unfinished(folder: Path) -> str:
    """The name of what a download into a folder left behind, or into the hub's cache around it; empty if nothing."""
    if folder.joinpath(_WEIGHTS).is_symlink() and not folder.joinpath(_WEIGHTS).exists():
        return f"{_WEIGHTS}, a link to a file that is not there"
    places = [folder, folder / ".cache" / "huggingface" / "download"]
    places += [folder.parent.parent / "blobs"] if folder.parent.name == "snapshots" else []
    parts = [path.name for place in places if place.is_dir() for path in sorted(place.iterdir())]
    return next((name for name in parts if name.endswith(_PARTS)), "")


def has_pickles(folder: Path) -> bool:
    """Whether weights lie there that could run code."""
    return any(path.name.endswith(_PICKLES) for path in folder.iterdir())


def _no_weights(folder: Path, names: list[str]) -> str:
    whose, part = f"Model folder '{folder}'", unfinished(folder)
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if part:
        return f"{whose} holds an unfinished download ({part}). Download it again."
    if pickles:
        return pickled(whose, pickles[0])
    return f"{whose} has a config.json but no weights (model.safetensors). Copy or download it again."


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read as JSON: {error}. Copy or download it again.") from error
    if not isinstance(content, dict):
        raise UserError(f"'{path}' holds {type(content).__name__}, not an object. Copy or download it again.")
    return content
