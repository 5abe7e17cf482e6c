"""A site's rankings for other programs and papers: CSV, JSON, LaTeX, and one line each for the terminal."""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import Any

from metrics.base import Difference, Estimate
from reports.foreign import one_line, spreadsheet_text
from reports.leaderboard import MISSING, NO_INTERVAL, Cell, cell_of, readable, title
from reports.paper.latex import escaped
from reports.site.base import Group, Ranking, Row, Site
from reports.site.wording import finding, rank

SCHEMA_VERSION = 1
HEADERS = (
    *("group", "model", "judge", "ranking", "rank", "rank_best", "rank_worst", "arm", "method", "run", "date"),
    *("seeds", "column", "value", "low", "high", "n", "unscored"),
    *("difference_to_default", "difference_low", "difference_high", "p_value", "p_adjusted"),
)


def summary(site: Site) -> Iterator[str]:
    """What each ranking found, for the terminal; with the groups' keys, which the page's links have, if several."""
    for group in site.groups:
        key = f" [{group.key}]" if len(site.groups) > 1 else ""
        for ranking in group.rankings:
            yield one_line(f"{group.model}, {readable(ranking.title)}{key}: {finding(ranking)}")


def csv_text(site: Site) -> str:
    """One line a number, as a data frame wants it; shares in [0, 1]."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADERS)
    for group in site.groups:
        for ranking in group.rankings:
            for row in ranking.rows:
                writer.writerows(_lines(site, group, ranking, row))
    return stream.getvalue()


def content(site: Site) -> dict[str, Any]:
    """All of it, history included; what has no number is null."""
    return {
        "schema_version": SCHEMA_VERSION,
        "groups": [
            {
                "group": group.key,
                "model": group.model,
                "judge": group.judge,
                "benchmarks": list(group.benchmarks),
                "conditions": dict(group.conditions),
                "differs": dict(group.differs),
                "rankings": [_ranking(ranking) for ranking in group.rankings],
            }
            for group in site.groups
        ],
        "runs": [
            {
                "name": run.name,
                "group": run.group,
                "date": run.date,
                "version": run.version,
                "commit": run.commit or None,
                "seeds": list(run.seeds),
                "arms": list(run.arms),
                "problems": list(run.problems),
            }
            for run in site.runs
        ],
    }


def latex(site: Site) -> str:
    r"""One booktabs table a ranking: `\input` it, with `\usepackage{booktabs}`."""
    tables = [_tabular(group, ranking) for group in site.groups for ranking in group.rankings]
    return "\n".join((r"% \usepackage{booktabs}", *tables))


def _lines(site: Site, group: Group, ranking: Ranking, row: Row) -> Iterator[list[object]]:
    one, places = row.entry, row.places
    ranks = [places.first, places.first, places.last] if places else [None, None, None]
    names = [group.key, *map(spreadsheet_text, (group.model, group.judge)), ranking.title]
    about = [
        *map(spreadsheet_text, (one.arm, one.method, one.run)),
        site.run(one.run).date,
        " ".join(map(str, one.seeds)),
    ]
    for column in (*([ranking.by] if ranking.by else []), *ranking.columns):
        found = one.estimates.get(column.key)
        numbers = [found.value, found.low, found.high, found.n, found.unscored] if found else [None] * 5
        delta = row.delta if column is ranking.by else None
        difference = [delta.value, delta.low, delta.high, delta.p_value, delta.p_adjusted] if delta else [None] * 5
        yield [*names, *ranks, *about, column.key, *numbers, *difference]


def _ranking(ranking: Ranking) -> dict[str, Any]:
    return {
        "benchmarks": ranking.title,
        "by": ranking.by.key if ranking.by else None,
        "finding": finding(ranking),
        "rows": [_row(row) for row in ranking.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    one = row.entry
    return {
        "rank": row.places.first if row.places else None,
        "rank_worst": row.places.last if row.places else None,
        "arm": one.arm,
        "method": one.method,
        "settings": dict(one.settings),
        "run": one.run,
        "seeds": list(one.seeds),
        "is_baseline": one.is_baseline,
        "notes": list(one.notes),
        "difference_to_default": _difference(row.delta),
        "estimates": _estimates(one.estimates),
        "cost": {name: _finite(value) for name, value in one.cost.items()},
        "history": [
            {"run": past.run, "date": past.date, "version": past.version, "estimates": _estimates(past.estimates)}
            for past in one.history
        ],
    }


def _estimates(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        key: {"value": _finite(one.value), "low": _finite(one.low), "high": _finite(one.high), "n": one.n}
        for key, one in estimates.items()
    }


def _difference(delta: Difference | None) -> dict[str, Any] | None:
    if delta is None:
        return None
    numbers = {name: _finite(getattr(delta, name)) for name in ("value", "low", "high", "p_value", "p_adjusted")}
    return {**numbers, "n_pairs": delta.n_pairs}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _tabular(group: Group, ranking: Ranking) -> str:
    columns = (*([ranking.by] if ranking.by else []), *ranking.columns)
    heads = [
        title(column) if column is ranking.by else f"{readable(column.benchmark)} {title(column)}" for column in columns
    ]
    rows = [_latex_row(ranking, row) for row in ranking.rows]
    told = "; ".join(f"{name.lower()} {value}" for name, value in group.differs.items() if name != "Model")
    caption = f"{group.model}, {readable(ranking.title)}{f' ({told})' if told else ''}. {finding(ranking)}"
    heading = " & ".join(["Rank", "Arm", *(_stacked(head) for head in heads)])
    return "\n".join(
        (
            r"\begin{table*}[t]",
            r"\centering\small\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{cl{'c' * len(columns)}}}",
            r"\toprule",
            rf"{heading} \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:leaderboard-{group.key}}}",
            r"\end{table*}",
            "",
        )
    )


def _latex_row(ranking: Ranking, row: Row) -> str:
    columns = (*([ranking.by] if ranking.by else []), *ranking.columns)
    cells = [cell_of(column, row.entry.estimates.get(column.key)) for column in columns]
    return " & ".join([rank(row.places), escaped(row.entry.arm), *map(_latex_cell, cells)]) + r" \\"


def _latex_cell(cell: Cell) -> str:
    if cell.value == MISSING:
        return "--"
    interval = f" ({cell.interval.replace('-', '--')})" if cell.interval not in ("", NO_INTERVAL) else ""
    return rf"{cell.value.replace('%', '')}{{\scriptsize{interval}}}"


def _stacked(head: str) -> str:
    """A heading one word a line, so that the columns stay narrow."""
    lines = r" \\ ".join(escaped(word) for word in head.split())
    return rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{lines}\end{{tabular}}"
