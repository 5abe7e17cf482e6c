"""A benchmark from a file of the user's: `file:PATH[prompt=COLUMN,intent=harmful,category=COLUMN]`."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.base import Benchmark, Intent, Kind, Split
from benchmarks.columns import Columns, Standard, make_prompts
from benchmarks.errors import UserError
from benchmarks.tables import read_rows

PREFIX = "file:"
COLUMNS = ("prompt", "question", "context", "category", "id", "target", "safe", "unsafe", "useful", "split")
"""Settings that name a column."""
_SPLITS = {"train": Split.TRAIN, "dev": Split.DEV}
SETTINGS = (*COLUMNS, "intent", "licence")


def load_file(path: Path, settings: Mapping[str, object]) -> Benchmark:
    """The rows of a table as prompts, in their order.

    Args:
        path: A file that `read_rows` reads.
        settings: Column names for `COLUMNS`, of which `prompt` may be left out where it is called so; `intent` is
            `harmful`, `benign` or a column of these words, `split` likewise `train`, `dev` or a column; `licence` is
            free text.

    Raises:
        UserError: If the file, a column or a cell cannot be used.
    """
    rows = read_rows(path)
    intents, standard = _intent(path, settings)
    named = {field: (str(settings[field]),) for field in COLUMNS if field in settings}
    split = _SPLITS.get(named.get("split", ("",))[0], Split.TEST)
    if split is not Split.TEST:
        del named["split"]
    columns = Columns(**{"prompt": ("prompt",), "intent": intents} | named)
    required = {"prompt", *named, *(["intent"] if intents else [])}
    name = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.") or "file"
    prompts = make_prompts(rows, columns, Standard(name, path.name, standard, split), f"'{path}'", required)
    return Benchmark(
        name=name,
        title=f"the prompts of {path.name}",
        kind=Kind.GENERATION,
        intent=_majority([prompt.intent for prompt in prompts]),
        prompts=prompts,
        source=f"{path.name}: {len(rows):,} rows",
        revision=f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}",
        licence=str(settings.get("licence", "not stated")),
    )


def _intent(path: Path, settings: Mapping[str, object]) -> tuple[tuple[str, ...], Intent]:
    """The column of intents, if it is one; else the intent of every row."""
    if "intent" not in settings:
        raise UserError(f"'{path}' needs an intent: write file:{path}[intent=harmful], benign or the name of a column.")
    word = str(settings["intent"])
    return ((), Intent(word)) if word in list(Intent) else ((word,), Intent.HARMFUL)


def _majority(intents: list[Intent]) -> Intent:
    """Of a mixed file the commoner, which decides the direction of its metrics."""
    return max(Intent, key=intents.count)
