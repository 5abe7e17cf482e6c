"""The contract of a published set, and the common kind: questions that are answered in words."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from benchmarks.base import Benchmark, Intent, Kind, Prompt, Split
from benchmarks.columns import Columns, Standard, digest, make_prompts
from benchmarks.errors import UserError
from benchmarks.published.subsets import Subset
from benchmarks.sources import Fetched, Source, fetch
from benchmarks.tables import Row


class Published(Protocol):
    """A set that others published."""

    @property
    def meaning(self) -> str:
        """One line for lists."""

    @property
    def source(self) -> Source:
        """Where its rows are from."""

    @property
    def intent(self) -> Intent:
        """Of its prompts."""

    def load(self, name: str, source: Source, *, any_rows: bool) -> Benchmark:
        """The set under a name, from its own source or another revision of it.

        Raises:
            UserError: If its rows cannot be had, or are not what was published.
        """


class Keep(NamedTuple):
    """Which rows of a table belong to the set."""

    column: str
    value: str
    is_needed: bool = True
    """Whether a table without the column is refused, or taken whole."""


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """Questions that are answered in words."""

    meaning: str
    source: Source
    intent: Intent
    columns: Columns
    keep: Keep | None = None
    subset: Subset | None = None
    split: Split | None = Split.TEST
    """None: to learn from, train or dev by question."""

    def load(self, name: str, source: Source, *, any_rows: bool) -> Benchmark:
        """The set under a name."""
        fetched = fetch(source, any_rows=any_rows)
        standard = Standard(_slug(source), source.title, self.intent, self.split)
        prompts = make_prompts(self._kept(fetched), self.columns, standard, f"{source.title} ({fetched.origin})")
        chosen = self.subset.taken(prompts, name) if self.subset else prompts
        return published_benchmark(name, self.meaning, Kind.GENERATION, self.intent, chosen, source, fetched)

    def _kept(self, fetched: Fetched) -> list[Row]:
        if self.keep is None:
            return list(fetched.rows)
        column, value, is_needed = self.keep
        names = {name.lower(): name for name in fetched.rows[0]}
        if column not in names:
            if is_needed:
                seen = ", ".join(f"'{name}'" for name in fetched.rows[0])
                raise UserError(
                    f"{self.source.title} ({fetched.origin}) has no column '{column}'. Its columns: {seen}."
                )
            return list(fetched.rows)
        return [row for row in fetched.rows if str(row[names[column]]).strip().lower() == value]


def published_benchmark(
    name: str,
    title: str,
    kind: Kind,
    intent: Intent,
    prompts: tuple[Prompt, ...],
    source: Source,
    fetched: Fetched,
) -> Benchmark:
    """Prompts in the order of a hash of their text: the same from hub and folder, and a fair draw for `--limit`."""
    return Benchmark(
        name=name,
        title=title,
        kind=kind,
        intent=intent,
        prompts=tuple(sorted(prompts, key=lambda prompt: (digest(prompt.messages[-1].content), prompt.id))),
        source=f"{source.title}: {len(fetched.rows):,} rows of {fetched.origin}",
        revision=fetched.revision,
        licence=source.licence,
    )


def _slug(source: Source) -> str:
    return source.title.lower().replace(" ", "-")
