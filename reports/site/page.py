"""The site's page: every group with its rankings, filters over them, and the history of runs."""

from urllib.parse import quote

from metrics.base import Difference
from reports.base import Column
from reports.html import environment
from reports.leaderboard import Cell, cell_of
from reports.shell import TABLES, shell
from reports.site import wording
from reports.site.base import Entry, Past, Ranking, Row, Site

STYLES = ("page.css", "site.css")
SCRIPTS = (*TABLES, "theme.js", "site.js")


def render(site: Site) -> str:
    """The page. Without JavaScript it shows all groups; filters and sorting need it."""
    return (
        environment()
        .get_template("site.html.j2")
        .render(
            site=site,
            choices=choices(site),
            sentence_of=sentence,
            number_of=number_of,
            finding=wording.finding,
            rank=wording.rank,
            cost=wording.cost,
            is_shared=is_shared,
            report=report,
            shown_columns=shown_columns,
            all_runs=all_runs,
            with_history=with_history,
            shell=shell(STYLES, SCRIPTS),
        )
    )


def choices(site: Site) -> dict[str, list[str]]:
    """What can be filtered by, and the values of each."""
    return {
        "model": sorted({group.model for group in site.groups}),
        "judge": sorted({group.judge for group in site.groups}),
        "benchmark": sorted({name for group in site.groups for name in group.benchmarks}),
    }


def shown_columns(ranking: Ranking) -> tuple[Column, ...]:
    """What it ranks by, if anything, and what is beside it."""
    return (*([ranking.by] if ranking.by else []), *ranking.columns)


def all_runs(site: Site, entry: Entry) -> list[Past]:
    """The history of an arm, with the run that counts before it."""
    run = site.run(entry.run)
    return [Past(run.name, run.date, run.version, entry.estimates), *entry.history]


def number_of(entry: Entry | Past, column: Column, delta: Difference | None = None) -> Cell:
    """One number, ready to print; with a difference, that to `default`."""
    return cell_of(column, entry.estimates.get(column.key), delta)


def sentence(delta: Difference) -> str:
    """A difference to `default`, in words."""
    adjusted = "p < 0.001" if delta.p_adjusted < 0.001 else f"p = {delta.p_adjusted:.3f}"
    return (
        f"{delta.value:+.3f} to default on {delta.n_pairs} prompts ({delta.low:+.3f} to {delta.high:+.3f}), "
        f"{adjusted} over all pairs of this ranking."
    )


def is_shared(ranking: Ranking, row: Row) -> bool:
    """Whether another arm has the same rank."""
    alike = [one for one in ranking.rows if one.places and row.places and one.places.first == row.places.first]
    return len(alike) > 1


def with_history(ranking: Ranking) -> list[Entry]:
    """Arms that older runs have, too."""
    return [row.entry for row in ranking.rows if row.entry.history]


def report(run: str) -> str:
    """Where a run's page lies, seen from the site's."""
    return f"runs/{quote(run)}/report.html"
