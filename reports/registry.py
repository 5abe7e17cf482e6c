"""All ways to write a comparison down."""

from collections.abc import Mapping
from dataclasses import dataclass

from reports import html, markdown, terminal
from reports.base import Renderer


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """One way to write a comparison down."""

    suffix: str
    """Of the file it goes into, dot included."""
    title: str
    render: Renderer


RENDERERS: Mapping[str, ReportFormat] = {
    "terminal": ReportFormat(".txt", "Leaderboard as plain text", terminal.render),
    "markdown": ReportFormat(".md", "All tables for GitHub", markdown.render),
    "html": ReportFormat(".html", "One self-contained page with plots and replies", html.render),
}
