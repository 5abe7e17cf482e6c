"""A benchmark, or data to learn from, from a file of the user's: `file:PATH[prompt=COLUMN,intent=harmful]`.

Columns that have the usual names are found without being named.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.base import Benchmark, Intent, Kind, Split
from benchmarks.columns import Columns, Standard, make_prompts, plain_name
from benchmarks.errors import UserError
from benchmarks.tables import Row, read_rows

PREFIX = "file:"
ATTACK = ("attack_category", "attack_name")
COLUMNS = ("prompt", "question", "context", "category", "id", "target", "safe", "unsafe", "useful", "split", *ATTACK)
"""Settings that name a column."""
FOUND = ("intent", "category", "safe", "unsafe", "useful", "split", *ATTACK)
"""Columns that are taken for what their name says unless a setting says otherwise."""
_SPLITS = {split.value: split for split in Split}
SETTINGS = (*COLUMNS, "intent", "licence")


def load_file(path: Path, settings: Mapping[str, object]) -> Benchmark:
    """The rows of a table as prompts, in their order.

    Args:
        path: A file that `read_rows` reads.
        settings: Column names for `COLUMNS`, of which those in `FOUND` and `prompt` may be left out where they are
            called so; `intent` is `harmful`, `benign` or a column of these words, `split` likewise `train`, `dev`,
            `test` or a column; `licence` is free text.

    Raises:
        UserError: If the file, a column or a cell cannot be used.
    """
    rows = read_rows(path)
    given = {**_found(rows[0]), **settings}
    intents, standard = _intent(path, given)
    named = {field: (str(given[field]),) for field in COLUMNS if field in given}
    split = _SPLITS.get(str(settings.get("split")))
    if split:
        del named["split"]
    columns = Columns(**{"prompt": ("prompt",), "intent": intents} | named)
    required = {"prompt", *named, *(["intent"] if intents else [])}
    name = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.") or "file"
    prompts = make_prompts(
        rows, columns, Standard(name, path.name, standard, split or Split.TEST), f"'{path}'", required
    )
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


def _found(row: Row) -> dict[str, object]:
    """Settings that the names of the columns make; with an attack `question` is the question without it."""
    there = {plain_name(column) for column in row}
    wanted = (*FOUND, "question") if there & {*ATTACK} and "prompt" in there else FOUND
    return {name: name for name in wanted if name in there}


def _intent(path: Path, settings: Mapping[str, object]) -> tuple[tuple[str, ...], Intent]:
    """The column of intents, if it is one; else the intent of every row."""
    if "intent" not in settings:
        raise UserError(
            f"'{path}' needs an intent: write file:{path}[intent=harmful], benign or the name of a column, or call a "
            "column 'intent'."
        )
    word = str(settings["intent"])
    if word == Intent.BENIGN and "target" in settings:
        raise UserError(
            f"'{path}' is benign and names a 'target', which is a reply that goes along with harm. Name the column of "
            f"useful replies: [useful={settings['target']}]."
        )
    return ((), Intent(word)) if word in list(Intent) else ((word,), Intent.HARMFUL)


def _majority(intents: list[Intent]) -> Intent:
    """Of a mixed file the commoner, which decides the direction of its metrics."""
    return max(Intent, key=intents.count)
