"""What a search may choose from: the settings of a method that declare it and that the user has not fixed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.errors import UserError
from methods.base import Method
from methods.settings import Range, Setting, describe


@dataclass(frozen=True, slots=True)
class Space:
    """The searched settings, each with a range or a tuple of values under `search`."""

    settings: tuple[Setting, ...]

    @classmethod
    def of(cls, method: type[Method], fixed: Mapping[str, Any], own: Mapping[str, Any]) -> "Space":
        """All that `method` lets tuning search, without what is `fixed`; `own` are defaults of the model's own.

        Raises:
            UserError: If nothing is left.
        """
        declared = [known for known in describe(method.settings_type) if known.search is not None]
        free = tuple(known for known in declared if known.name not in fixed)
        if not free:
            but = f" but those that are fixed ({', '.join(known.name for known in declared)})" if declared else ""
            raise UserError(
                f"'{method.name}' has no settings to tune{but}. "
                "'equipoise list methods --verbose' shows which settings of which method are searched."
            )
        return cls(tuple(replace(known, default=_of_its_type(known, own)) for known in free))

    @property
    def defaults(self) -> dict[str, Any]:
        """What is taken where nobody chooses; it may lie outside the space."""
        return {known.name: known.default for known in self.settings}

    @property
    def size(self) -> float:
        """How many points there are; infinite where a setting is a real number."""
        return math.prod(map(_count, self.settings))

    @property
    def trials(self) -> float:
        """How many trials there can be: one a point, and one for defaults that are none of the points."""
        return self.size + (not self.holds(self.defaults))

    def holds(self, point: Mapping[str, Any]) -> bool:
        """Whether the search could have chosen this point itself."""
        return all(_lies_in(known, point[known.name]) for known in self.settings)


def _of_its_type(known: Setting, own: Mapping[str, Any]) -> object:
    """The default of a setting: a model's own may be written as a whole number where a real one is meant."""
    return type(known.default)(own.get(known.name, known.default))


def is_whole(known: Setting) -> bool:
    """Whether a range of this setting means whole numbers."""
    return type(known.default) is int


def _count(known: Setting) -> float:
    if not isinstance(known.search, Range):
        return len(set(known.search or ()))
    if known.search.low == known.search.high:
        return 1
    return int(known.search.high) - math.ceil(known.search.low) + 1 if is_whole(known) else math.inf


def _lies_in(known: Setting, value: Any) -> bool:  # noqa: ANN401 - of any setting
    if isinstance(known.search, Range):
        return bool(known.search.low <= value <= known.search.high)
    return value in (known.search or ())
