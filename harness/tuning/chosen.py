"""What tuning chose: a folder that `run` takes as `method@FOLDER`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError

FILE = "chosen.json"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings that did best on dev prompts, and what the search for them took."""

    method: str
    settings: Mapping[str, Any]
    """Only those that were searched or fixed by the user; the rest keep their defaults."""
    facts: Mapping[str, Any]
    """For the report: objective, its value and interval, searched settings, trials, cost, data, prompts, model, judge,
    seed."""


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
