"""What tuning chose: a folder that `run` takes as `method@FOLDER`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from harness.storage import write_json

FILE = "chosen.json"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings that did best on dev prompts, and what the search for them took."""

    method: str
    settings: Mapping[str, Any]
    """Only those that were searched or fixed by the user; the rest keep their defaults."""
    facts: Mapping[str, Any]
    """For the report, JSON-ready: `objective`; `value`, `low`, `high` of the best trial and `default_value`,
    `default_low`, `default_high` of the defaults on dev prompts; `trials` and `failed` (of these); `budget`;
    `forward_equivalents`, `seconds`; `searched` and `fixed` settings; `data`, `data_hash`, `dev_prompts`; `model`,
    `weights`, `judge`, `seed`, `generation`; `note`, a warning in words."""


def read_chosen(folder: Path) -> Chosen:
    """What `equipoise tune` left in a folder.

    Raises:
        UserError: If there is nothing of the kind.
    """
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Chosen(record["method"], record["settings"], record["facts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"'{folder}' holds no tuned settings: it has no readable {FILE}. Give the --output of an 'equipoise tune'."
        ) from error


def write_chosen(folder: Path, chosen: Chosen) -> None:
    """Write what `read_chosen` reads."""
    write_json(folder / FILE, asdict(chosen))
