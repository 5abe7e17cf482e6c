"""The report as one HTML page that needs nothing but itself: tables, plots, and every reply side by side."""

import math
import re
from typing import TYPE_CHECKING

from metrics.base import Direction
from reports import (
    cards,
    cautions,
    corrections,
    costs,
    differences,
    facts,
    figures,
    finding,
    leaderboard,
    opinions,
    plots,
    sections,
    topics,
)
from reports.base import Arm, Column, Comparison
from reports.figures import Range
from reports.foreign import visible
from reports.shell import TABLES, shell

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

STYLES = ("page.css", "side_by_side.css")
SCRIPTS = (
    *TABLES,
    "theme.js",
    "reading.js",
    "vendor/diff.min.js",
    "word_difference.js",
    "reply_data.js",
    "side_by_side.js",
)


def render(comparison: Comparison) -> str:
    """The page. Its tables work without JavaScript; sorting and the replies need it."""
    from reports.side_by_side import side_by_side  # brings numpy, which the command line can do without

    return (
        environment()
        .get_template("page.html.j2")
        .render(
            comparison=comparison,
            found=finding.finding(comparison),
            cautions=cautions.cautions(comparison),
            default=comparison.arms[0],
            colours=figures.colours(comparison),
            drawn=plots.plots(comparison),
            costs=costs.cost_table(comparison),
            opinions=opinions.opinions(comparison),
            topics=topics.topics(comparison),
            unscored=leaderboard.unscored(comparison),
            corrections=corrections.corrections(comparison),
            benchmarks=leaderboard.benchmarks(comparison),
            sections=sections.sections(comparison),
            meanings=leaderboard.meanings(comparison),
            cards=cards.cards(comparison),
            command=facts.reproduction(comparison),
            protocol=facts.protocol(comparison),
            environment=facts.environment(comparison),
            replies=side_by_side(comparison),
            shell=shell(STYLES, SCRIPTS),
        )
    )


def span(comparison: Comparison, arm: Arm, column: Column) -> Range | None:
    """Where a number and its interval lie on the column's scale, in percent of its width.

    The scale runs from 0 to 1 for shares, else from 0 to the highest end of any interval. None where nothing is finite.
    """
    interval = figures.interval(comparison.estimates.get((arm.name, column.key)))
    top = _top(comparison, column)
    if interval is None or not all(map(math.isfinite, (*interval, top))):
        return None
    return Range(*(100 * min(1.0, max(0.0, end / top)) for end in interval))


def first_order(column: Column) -> str:
    """Order that a first click sorts by: best first."""
    return "ascending" if column.direction is Direction.LOWER else "descending"


def breakable(name: str) -> "Markup":
    """A name that may break after a hyphen, an underscore or a plus rather than within a word."""
    from markupsafe import Markup

    return Markup("<wbr>").join(visible(part) for part in re.findall(r"[^-_+]*[-_+]|[^-_+]+", name))


def _top(comparison: Comparison, column: Column) -> float:
    if column.unit == "share" or column.metric in leaderboard.COMPOSITES:
        return 1.0
    found = (figures.interval(comparison.estimates.get((arm.name, column.key))) for arm in comparison.arms)
    return max((one.high for one in found if one), default=1.0) or 1.0


def environment() -> "Environment":
    """Templates whose strings are escaped and have no unseen characters."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def printed(value: object) -> object:
        """Every string that enters the page has its unseen characters shown; escaping follows."""
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        breakable=breakable,
        cell=leaderboard.cell,
        title=leaderboard.title,
        readable=leaderboard.readable,
        arrow=leaderboard.arrow,
        scale=leaderboard.scale,
        counted=leaderboard.counted,
        span=span,
        first_order=first_order,
        differing=differences.rows,
        difference_headers=differences.HEADERS,
        sentence=differences.sentence,
        opinion_headers=opinions.HEADERS,
        opinion_note=opinions.NOTE,
        error_told=corrections.error_told,
        mark=leaderboard.MARK,
        not_significant=leaderboard.NOT_SIGNIFICANT,
        rule=leaderboard.RULE,
        learns=leaderboard.LEARNS,
        drawing=Markup,
    )
    return environment
