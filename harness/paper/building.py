"""From the plan of a table to the table: numbers taken, ranked, and told with their n, judge, interval and seeds."""

from collections.abc import Sequence
from itertools import groupby

from benchmarks.errors import UserError
from harness.paper import beside
from harness.paper.evidence import Entry, Evidence
from harness.paper.layout import Layout, Line, Options
from harness.paper.naming import shown_benchmark, shown_models
from harness.paper.quantities import Quantity
from harness.paper.ranking import Ranked, marks
from metrics.base import LEVEL, Direction, Estimate
from reports.base import Mark
from reports.paper.table import Cell, Heading, PaperTable, Row

Numbers = list[list[Estimate | None]]
"""By row and column."""


class Notes:
    """Remarks that cells refer to, each written once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def place(self, text: str) -> int:
        """Where a remark stands, after it was added if it was not there."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)


def build(layout: Layout, runs: Sequence[Evidence], options: Options) -> PaperTable:
    """Take every number once.

    Raises:
        UserError: If no arm of the runs belongs into the table, or none of its numbers is there.
    """
    if not any(entry for line in layout.lines for entry, _ in line.sources):
        raise UserError(f"No arm of these runs belongs into {layout.name}. It shows: {layout.title}.")
    numbers = [
        [quantity.estimate(entry) if entry else None for entry, quantity in line.sources] for line in layout.lines
    ]
    if not any(one is not None and one.value is not None for row in numbers for one in row):
        raise UserError(f"These runs hold no finished number of {layout.name}. Finish them: the same command goes on.")
    ranks = _ranks(layout, numbers, options)
    notes = Notes()
    rows = []
    for line, found, marked in zip(layout.lines, numbers, ranks, strict=True):
        published = (
            beside.numbers(layout, line, options.published_model) if options.beside_published else [""] * len(found)
        )
        sources = zip(line.sources, found, marked, published, strict=True)
        cells = [
            Cell(quantity.heading, estimate, mark, paper, _remarks(notes, entry, quantity, estimate))
            for (entry, quantity), estimate, mark, paper in sources
        ]
        rows.append(Row(_names(layout, line), tuple(cells)))
    caption = _caption(layout, runs, numbers, options)
    return PaperTable(
        layout.name, caption, layout.stubs, _headings(layout), tuple(rows), tuple(notes.texts), options.intervals
    )


def _ranks(layout: Layout, numbers: Numbers, options: Options) -> list[list[Mark]]:
    found = [[Mark.NONE] * len(line.sources) for line in layout.lines]
    if not layout.is_ranked:
        return found
    for _, block in groupby(range(len(layout.lines)), key=lambda place: layout.lines[place].model):
        places = list(block)
        for column, (_, quantity) in enumerate(layout.lines[places[0]].sources):
            ranked = [_ranked(layout.lines[place].sources[column], numbers[place][column]) for place in places]
            for place, mark in zip(places, marks(quantity, ranked, is_tested=options.significance), strict=True):
                found[place][column] = mark
    return found


def _ranked(source: tuple[Entry | None, Quantity], estimate: Estimate | None) -> Ranked | None:
    entry, _ = source
    return None if entry is None or estimate is None or estimate.value is None else Ranked(entry, estimate)


def _remarks(notes: Notes, entry: Entry | None, quantity: Quantity, estimate: Estimate | None) -> tuple[int, ...]:
    """Why there is no number, or what is left out of it."""
    if entry is None:
        return (notes.place("No such arm in these runs."),)
    if estimate is None:
        return (notes.place(_absence(entry, quantity)),)
    if estimate.value is None:
        return (notes.place(f"No usable score among {estimate.n + estimate.unscored} replies."),)
    told = [f"Left out for want of a score: {estimate.unscored}."] if estimate.unscored else []
    told += ["A single prompt: no measure of chance."] if estimate.n == 1 else []
    return tuple(notes.place(text) for text in told)


def _absence(entry: Entry, quantity: Quantity) -> str:
    if entry.failure:
        return f"Arm {entry.label} failed: {entry.failure}"
    if not any(quantity.benchmark in run.benchmarks for run, _ in entry.places) and "+" not in quantity.benchmark:
        return "No run of this arm holds such questions."
    return "Not finished in these runs."


def _names(layout: Layout, line: Line) -> tuple[str, ...]:
    return (_models(layout)[line.model], line.name) if len(layout.stubs) > 1 else (line.name,)


def _models(layout: Layout) -> dict[str, str]:
    """Of the rows or of the columns, as they are shown."""
    return shown_models(layout.models or [line.model for line in layout.lines])


def _headings(layout: Layout) -> tuple[Heading, ...]:
    if not layout.models:
        return tuple(quantity.heading for _, quantity in layout.lines[0].sources)
    return tuple(
        Heading(f"{name}_refusal_percent", "", name, Direction.NEITHER, "%", 100, 2)
        for name in _models(layout).values()
    )


def _caption(layout: Layout, runs: Sequence[Evidence], numbers: Numbers, options: Options) -> str:
    models = list(_models(layout).values())
    has_arrows = any(heading.direction is not Direction.NEITHER for heading in _headings(layout))
    parts = [
        f"{layout.title}, on {', '.join(models)}.",
        f"{_counts(layout, numbers)}; {judged(runs[0])}.",
        "↑ higher is better, ↓ lower is better." if has_arrows else "",
        "In parentheses 95 % intervals." if options.intervals else "",
        _rule(layout, options),
        *layout.remarks,
        *(beside.remarks(layout, options.published_model) if options.beside_published else []),
    ]
    return " ".join(part for part in parts if part)


def judged(run: Evidence) -> str:
    """`judge grammar 1; seeds 0, 1`, which all runs of a table share."""
    seeds = run.protocol["seeds"]
    return f"judge {run.judge}; {'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"


def _rule(layout: Layout, options: Options) -> str:
    """What bold and underlined say."""
    if not layout.is_ranked:
        return ""
    within = " within a model" if len({line.model for line in layout.lines}) > 1 else ""
    if not options.significance:
        return f"Bold: best{within}; underlined: second; neither is tested."
    return (
        f"Bold: best{within}, where it differs from all other rows at p < {LEVEL} (paired test, Holm over them); "
        "underlined: second after such a best; n.s.: the best, and what it does not differ from."
    )


def _counts(layout: Layout, numbers: Numbers) -> str:
    """`n = 975 (SafeEdit), 100 (Alpaca)`."""
    counts: dict[str, list[int]] = {}
    for line, row in zip(layout.lines, numbers, strict=True):
        for (_, quantity), estimate in zip(line.sources, row, strict=True):
            if estimate is not None and estimate.value is not None and quantity.benchmark:
                counts.setdefault(quantity.benchmark, []).append(estimate.n)
    new = {name: found for name, found in counts.items() if "+" not in name or not {*name.split("+")} <= counts.keys()}
    told = [f"{_span(found)} ({shown_benchmark(name)})" for name, found in new.items()]
    return f"n = {', '.join(told)}" if told else "n = 0"


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}-{high}"
