"""A paper table as one HTML page in the style of the reports, without script."""

from reports.base import Mark
from reports.html import environment
from reports.leaderboard import ARROWS
from reports.paper.table import PaperTable, lettered
from reports.shell import shell


def render(table: PaperTable, drawing: str = "") -> str:
    """The page; `drawing` is SVG of our own that stands above the table."""
    from markupsafe import Markup

    return (
        environment()
        .get_template("paper.html.j2")
        .render(
            table=table,
            arrows=ARROWS,
            Mark=Mark,
            notes=lettered(table.notes),
            picture=Markup(drawing),
            shell=shell(("page.css",)),
        )
    )
