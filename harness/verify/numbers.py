"""Every published number and page against what the replies give now."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from harness.comparison import compare
from harness.findings import Finding, Level
from harness.provenance import here, maker
from harness.results import costs, results
from harness.run_folder import RunFolder
from harness.storage import json_bytes
from metrics.registry import JUDGES
from reports.base import Comparison
from reports.registry import RENDERERS

MOST_NAMED = 10
"""Numbers of one file that are named one by one."""
_ABSENT = object()
_NUMBER = re.compile(r"(?P<kind>estimates|comparisons|corrected)\[(?P<of>.*)\]\.(?P<field>\w+)", re.DOTALL)


def look_at_numbers(folder: RunFolder, header: Mapping[str, Any]) -> Iterator[Finding]:
    """The results of the run's own judge, then those of every other that has read its replies."""
    own = header["protocol"]["judge"]
    others = [path for path in sorted(folder.root.glob("results.*.json")) if path != folder.results()]
    if not folder.results().exists():
        yield Finding("numbers", Level.WARNING, "there is no results.json yet; 'equipoise report' writes it")
    for path, judge in [(folder.results(), own), *((path, _judge_of(folder, path)) for path in others)]:
        if judge is None:
            text = f"{path.name} does not say which judge it is of; 'equipoise report --judge' writes it anew"
            yield Finding("numbers", Level.WARNING, text)
        elif path.exists() or judge == own:
            yield from _of_judge(folder, header, path, judge, is_own=path == folder.results())


def _judge_of(folder: RunFolder, path: Path) -> str | None:
    """As on the command line; earlier versions did not write it down, and a name without settings is in the file's."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        content = {}
    written = content.get("judge_argument") if isinstance(content, dict) else None
    if isinstance(written, str) and folder.results(written) == path:
        return written
    return next((name for name in JUDGES if folder.results(name) == path), None)


def _of_judge(
    folder: RunFolder, header: Mapping[str, Any], path: Path, judge: str, *, is_own: bool
) -> Iterator[Finding]:
    comparison = compare(folder, judge, _unheard)
    commit = comparison.provenance.get("git_hash")
    fresh = results(comparison, commit if isinstance(commit, str) else None)
    if path.exists():
        yield from _of_results(path, fresh if is_own else {**fresh, "judge_argument": judge})
    if is_own and (folder.root / "costs.json").exists():
        yield from _of_costs(folder.root / "costs.json", costs(comparison))
    yield from _of_pages(folder, header, comparison, None if is_own else judge)


def _unheard(_: str) -> None:
    """What judging has to say of the replies was said when they were looked at."""


def _of_results(path: Path, fresh: Mapping[str, Any]) -> Iterator[Finding]:
    written = _read(path)
    if written is None:
        yield Finding("numbers", Level.PROBLEM, f"{path.name} cannot be read")
        return
    level = Level.PROBLEM
    if written.get("judge") != fresh["judge"]:
        level = Level.WARNING
        judges = f"'{written.get('judge')}'; this is '{fresh['judge']}'"
        text = f"{path.name} was judged by {judges}, whose verdicts may differ"
        yield Finding("numbers", level, text)
    yield from _compared(path, written, fresh, level)


def _of_costs(path: Path, fresh: dict[str, Any]) -> Iterator[Finding]:
    """But for what judging took, which another judging need not take."""
    written = _read(path)
    if written is None:
        yield Finding("numbers", Level.PROBLEM, f"{path.name} cannot be read")
        return
    fresh.pop("judging", None)
    judging = {"judging": written["judging"]} if "judging" in written else {}
    yield from _compared(path, written, {**fresh, **judging}, Level.PROBLEM)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _compared(path: Path, written: Mapping[str, Any], fresh: Mapping[str, Any], level: Level) -> Iterator[Finding]:
    # Through JSON and back, so that tuples are lists and keys are text as they are in the file.
    ours, theirs = dict(_leaves(json.loads(json_bytes(fresh)))), dict(_leaves(written))
    names = [*theirs, *(name for name in ours if name not in theirs)]
    differing = [name for name in names if theirs.get(name, _ABSENT) != ours.get(name, _ABSENT)]
    for name in islice(sorted(differing, key=_rank), MOST_NAMED):
        before, after = (_shown(entries.get(name, _ABSENT)) for entries in (theirs, ours))
        yield Finding("numbers", level, f"{path.name}: {_called(name)}: {before} written, {after} from the replies")
    if len(differing) > MOST_NAMED:
        yield Finding("numbers", level, f"{path.name}: {len(differing) - MOST_NAMED} entries more differ")
    if not differing and path.read_bytes() != json_bytes(fresh):
        yield Finding("numbers", level, f"{path.name}: its entries agree, but it is not as it was written")
    elif not differing:
        yield Finding("numbers", Level.OK, f"{path.name}: {len(ours)} entries follow from the replies")


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf by its path; an estimate or a difference is called by its column and arm."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            is_number = isinstance(inner, Mapping) and {"arm", "column"} <= inner.keys()
            named = f"{inner['column']} of {inner['arm']}" if is_number else place
            yield from _leaves(inner, f"{name}[{named}]")
    else:
        yield name, value


def _rank(name: str) -> int:
    """Numbers of the leaderboard first: most others follow from them."""
    found = _NUMBER.fullmatch(name)
    return 2 if found is None else int((found["kind"], found["field"]) != ("estimates", "value"))


def _called(name: str) -> str:
    """`attacked/refusal_rate of neurontune`, or with what is told of it: `..., p_value of the difference`."""
    found = _NUMBER.fullmatch(name)
    if found is None:
        return name
    kind = {"estimates": "", "comparisons": " of the difference", "corrected": " of the corrected"}[found["kind"]]
    is_plain = found["field"] == "value" and not kind
    return found["of"] if is_plain else f"{found['of']}, {found['field']}{kind}"


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _of_pages(
    folder: RunFolder, header: Mapping[str, Any], comparison: Comparison, judge: str | None
) -> Iterator[Finding]:
    """A page that another version has made may look otherwise and still tell the same."""
    for name in ("markdown", "html"):
        path = folder.report(judge) / f"report{RENDERERS[name].suffix}"
        if not path.exists():
            continue
        place = path.relative_to(folder.root).as_posix()
        if path.read_bytes() == RENDERERS[name].render(comparison).encode(errors="backslashreplace"):
            yield Finding("pages", Level.OK, f"{place} is what the replies give")
        elif maker(header["provenance"]) == here():
            yield Finding("pages", Level.PROBLEM, f"{place} is not what the replies give")
        else:
            text = f"{place} is not what {here()} makes of the replies; the run is of {maker(header['provenance'])}"
            yield Finding("pages", Level.WARNING, text)
