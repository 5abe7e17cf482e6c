"""Models that need no download, by name."""

from collections.abc import Mapping
from pathlib import Path

CHECKPOINTS = Path(__file__).parent / "embedded" / "checkpoints"

MODELS: Mapping[str, Path] = {
    "embedded": CHECKPOINTS / "aligned",
    "embedded-base": CHECKPOINTS / "base",
}
"""Short names for `--model`; any other is a hub id or a folder."""
