"""Doses: arms of one method that differ in one number alone, such as a strength, and so trace a curve together."""

import json
from collections.abc import Sequence

from reports.base import Arm


def doses(arms: Sequence[Arm]) -> list[tuple[Arm, ...]]:
    """Every set of two arms or more that share a method and all settings but one number, from its least to its most.

    An arm may belong to several, one for each setting that others vary around it.
    """
    groups: dict[tuple[str, str, str], dict[float, Arm]] = {}
    for arm in arms:
        for name, value in arm.settings.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                others = {other: kept for other, kept in arm.settings.items() if other != name}
                key = (arm.method, name, json.dumps(others, sort_keys=True))
                groups.setdefault(key, {}).setdefault(value, arm)
    return [tuple(arm for _, arm in sorted(group.items())) for group in groups.values() if len(group) > 1]
