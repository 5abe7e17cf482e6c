"""Settings of methods for the embedded model, where the defaults are made for models of real size."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "settings.yaml"


@cache
def own_settings() -> Mapping[str, Mapping[str, Any]]:
    """By name of the method."""
    content: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8")) or {}
    return content
