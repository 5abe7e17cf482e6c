"""What every page is wrapped in: styles and scripts inside it, and a policy that lets nothing else run or load."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from markupsafe import Markup

TABLES = ("vendor/sortable.min.js", "tables.js")
"""Scripts that sort every `table.sortable`."""


class Shell(NamedTuple):
    """For `shell.html.j2`."""

    styles: "tuple[Markup, ...]"
    scripts: "tuple[Markup, ...]"
    policy: str
    """Content-Security-Policy: scripts by hash, nothing from anywhere."""


def shell(styles: Sequence[str], scripts: Sequence[str] = (), *, asks_its_server: bool = False) -> Shell:
    """Assets by name, in the order in which the page has them; a served page may ask whoever serves it for more."""
    from markupsafe import Markup

    texts = [asset(name) for name in scripts]
    sources = " ".join(f"'sha256-{_hash(text)}'" for text in texts) or "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {sources}; base-uri 'none'; form-action 'none'"
    policy += "; connect-src 'self'" if asks_its_server else ""
    return Shell(tuple(Markup(asset(name)) for name in styles), tuple(map(Markup, texts)), policy)


def asset(name: str) -> str:
    """The text of a style or script."""
    return (resources.files("reports") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
