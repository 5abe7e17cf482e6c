"""A digest inside a JSON file, over all else that it holds, so that an edit can be told."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_KEY = "digest"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same with a digest as its last entry, in place of one that it had."""
    rest = _without(content)
    return {**rest, _KEY: _digest(rest)}


def is_whole(content: Mapping[str, Any]) -> bool | None:
    """Whether it is as it was sealed; None if it never was, as files of earlier versions."""
    return content[_KEY] == _digest(_without(content)) if _KEY in content else None


def _without(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != _KEY}


def _digest(content: Mapping[str, Any]) -> str:
    # Read back before it is sorted, so that keys are sorted as the text that they become.
    canonical = json.dumps(json.loads(json.dumps(content)), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
