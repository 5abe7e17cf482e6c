"""What is in a model folder, looked at before anything is read: one line for each thing that keeps it from loading."""

import json
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_INDEX = "model.safetensors.index.json"


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no whole checkpoint with weights as safetensors and a tokenizer.

    Raises:
        UserError: Saying what it lacks, and what would do.
    """
    names = sorted(path.name for path in folder.iterdir())
    if "config.json" not in names:
        raise UserError(_not_a_model(folder, names))
    _check_weights(folder, names)
    if not any(name in names for name in _TOKENIZERS):
        raise UserError(
            f"Model folder '{folder}' has no tokenizer. Save it there, too: AutoTokenizer.from_pretrained(ID)"
            ".save_pretrained(FOLDER)."
        )


def _not_a_model(folder: Path, names: list[str]) -> str:
    if "adapter_config.json" in names:
        base = _json(folder / "adapter_config.json").get("base_model_name_or_path")
        return (
            f"Model folder '{folder}' holds an adapter of '{base}', not a whole model. Merge them with peft's "
            "merge_and_unload, save_pretrained the result, and give its folder."
        )
    if any(name.endswith(".gguf") for name in names):
        return f"Model folder '{folder}' holds a GGUF file, which no engine here reads. Give the original checkpoint."
    held = f"it holds {', '.join(names[:5])}{', ...' * (len(names) > 5)}" if names else "it is empty"
    return f"Model folder '{folder}' has no config.json; {held}. Give a folder that save_pretrained has written."


def _check_weights(folder: Path, names: list[str]) -> None:
    if _INDEX in names:
        shards = sorted(set(_json(folder / _INDEX).get("weight_map", {}).values()))
        lacking = [shard for shard in shards if shard not in names]
        if lacking:
            raise UserError(
                f"Model folder '{folder}' lacks {len(lacking)} of the {len(shards)} files that {_INDEX} names, "
                f"'{lacking[0]}' first. Copy or download it again."
            )
    elif "model.safetensors" not in names:
        pickles = [name for name in names if name.endswith(_PICKLES)]
        raise UserError(pickled(f"Model folder '{folder}'", pickles[0]) if pickles else _no_weights(folder))


def pickled(whose: str, file: str) -> str:
    """What is said of a checkpoint with weights that could run code."""
    return (
        f"{whose} has its weights as pickle alone ({file}), which can run any code when it is read. Use a revision "
        "with safetensors, or convert it where you trust it: from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)."
    )


def _no_weights(folder: Path) -> str:
    return f"Model folder '{folder}' has a config.json but no weights (model.safetensors). Copy or download it again."


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read as JSON: {error}") from error
    return content if isinstance(content, dict) else {}
