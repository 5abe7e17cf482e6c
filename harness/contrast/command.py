"""From run folders to the comparison of two arms, in the terminal, as a page and for machines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.errors import UserError
from harness.contrast.choosing import choose
from harness.contrast.joining import Joined, join
from harness.documents import document
from harness.evidence import read_evidence
from harness.run_folder import RunFolder
from harness.storage import write_whole, writing
from metrics.paired import holm
from reports import contrast
from reports.registry import RENDERERS


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for besides the runs."""

    arms: tuple[str, ...] = ()
    judge: str | None = None
    output: Path | None = None
    is_whole: bool = False
    as_json: bool = False


def compare(folders: Sequence[RunFolder], options: Options, note: Callable[[str], None]) -> str:
    """What is printed; the page is written where one is asked for.

    Args:
        folders: One run or two.
        options: As on the command line.
        note: Told of what is left out or doubtful.

    Raises:
        UserError: If it cannot be told what is to be compared, or it cannot be.
        StorageError: If the page cannot be written.
    """
    if options.output and options.output.suffix != ".html":
        raise UserError(f"--output '{options.output}' is no page. Give a file that ends in .html.")
    _check_judges(folders, options.judge)
    runs = [read_evidence(folder, options.judge, note) for folder in folders]
    found = _adjusted([join(pair) for pair in choose(runs, options.arms)])
    if options.output:
        _write(found, options.output)
    if options.as_json:
        content = {"pairs": [contrast.facts(*one) for one in found]}
        return document(content)
    pages = [contrast.render(*one, is_whole=options.is_whole) for one in found]
    return "\n\n".join(pages) + (f"\n{options.output}" if options.output else "")


def _check_judges(folders: Sequence[RunFolder], chosen: str | None) -> None:
    judges = list(dict.fromkeys(folder.header()["protocol"]["judge"] for folder in folders))
    if len(judges) > 1 and chosen is None:
        raise UserError(
            f"The runs were read by different judges, '{judges[0]}' and '{judges[1]}'. "
            f"Say who is to read both, for instance --judge '{judges[0]}'."
        )


def _adjusted(found: Sequence[Joined]) -> list[Joined]:
    """Of several pairs the p values of each column hold for all of them together."""
    places = [(pair, place) for pair, one in enumerate(found) for place in one.comparison.differences]
    changed = [dict(one.comparison.differences) for one in found]
    for key in dict.fromkeys(place[1] for _, place in places):
        family = [(pair, place) for pair, place in places if place[1] == key]
        members = holm([changed[pair][place] for pair, place in family])
        for (pair, place), difference in zip(family, members, strict=True):
            changed[pair][place] = difference
    return [
        one._replace(comparison=replace(one.comparison, differences=differences))
        for one, differences in zip(found, changed, strict=True)
    ]


def _write(found: Sequence[Joined], path: Path) -> None:
    if len(found) > 1:
        arms = ", ".join(one.comparison.arms[0].name.rpartition(" (")[0] for one in found)
        raise UserError(f"A page shows two arms, and {len(found)} pairs were found. Name one with --arms: {arms}.")
    page = RENDERERS["html"].render(found[0].comparison)
    with writing(path.parent):
        write_whole(path, page.encode(errors="backslashreplace"))
