"""The page of a run in progress: how far each arm is and the numbers so far, refreshed by the page itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reports.base import Column
from reports.foreign import one_line, visible
from reports.html import environment
from reports.shell import shell


class Row(NamedTuple):
    """An arm fitted with one seed."""

    arm: str
    seed: int

    def key(self, part: str) -> str:
        """Of what is told of it, among the texts."""
        return f"{self.arm}/{self.seed}/{part}"


@dataclass(frozen=True, slots=True)
class LivePage:
    """What stands on the page. What changes is in `texts`, by key; the rest is its structure."""

    folder: str
    model: str
    judge: str
    rows: tuple[Row, ...]
    totals: Mapping[str, int]
    """Prompts by benchmark."""
    columns: tuple[Column, ...]
    """Of the numbers so far."""
    texts: Mapping[str, str]
    """`state`, `told`, `spoken`, `done`, `total`, `numbers`; by row and part; by arm and column."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys(row.arm for row in self.rows))

    @property
    def structure(self) -> str:
        """Changes when the page must be loaded anew: new texts would not find their places."""
        parts = [self.model, self.judge, self.rows, list(self.totals.items()), [column.key for column in self.columns]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def render(page: LivePage) -> str:
    """The page, whole without JavaScript too."""
    wrapped = shell(("page.css", "live.css"), ("live.js",), asks_its_server=True)
    return environment().get_template("live.html.j2").render(page=page, texts=_printed(page), shell=wrapped)


def as_json(page: LivePage) -> str:
    """What the page asks for to refresh itself."""
    texts = {visible(key): text for key, text in _printed(page).items()}  # as the page has its keys
    return json.dumps({"structure": page.structure, "texts": texts}, ensure_ascii=True)


def _printed(page: LivePage) -> dict[str, str]:
    return {key: one_line(text) for key, text in page.texts.items()}
