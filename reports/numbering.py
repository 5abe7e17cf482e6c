"""Where to write the numbers of points that lie close together."""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

WIDTH, HEIGHT, MARK = 12.0, 9.0, 5.0
"""Of a number of two digits and of a point's mark, in typographic points."""
RINGS, DIRECTIONS = 9, 16


class Place(NamedTuple):
    """A position in typographic points, from the left and from the bottom."""

    x: float
    y: float


def placed(marks: Sequence[Place]) -> list[Place]:
    """Centres of the numbers, one a mark: each as near to its own mark as the other marks and numbers let it.

    Earlier marks choose first. In a crowd beyond all measure the last candidate is taken, and may overlap.
    """
    found: list[Place] = []
    for mark in marks:
        candidates = [_around(mark, ring, step) for ring, step in product(range(1, RINGS + 1), range(DIRECTIONS))]
        free = (one for one in candidates if not _touches(one, marks, found))
        found.append(next(free, candidates[-1]))
    return found


def _around(mark: Place, ring: int, step: int) -> Place:
    """To the right and above first, where numbers are looked for."""
    angle = math.pi / 4 + 2 * math.pi * step / DIRECTIONS
    return Place(mark.x + 11.0 * ring * math.cos(angle), mark.y + 9.0 * ring * math.sin(angle))


def _touches(number: Place, marks: Sequence[Place], numbers: Sequence[Place]) -> bool:
    reach = Place((WIDTH + MARK) / 2, (HEIGHT + MARK) / 2)
    on_mark = any(abs(number.x - mark.x) < reach.x and abs(number.y - mark.y) < reach.y for mark in marks)
    return on_mark or any(abs(number.x - one.x) < WIDTH and abs(number.y - one.y) < HEIGHT for one in numbers)
