"""`equipoise judge`: judges on labelled replies in tables, or on the replies of a run, where they have each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from benchmarks.base import Kind, Prompt, Reply
from benchmarks.brackets import split_outside_brackets
from benchmarks.errors import UserError
from benchmarks.plugins import check_sound, outside
from benchmarks.tables import read_rows
from harness.answers import read_answers
from harness.judging.outcome import Group, Outcome, outcome
from harness.run_folder import RunFolder
from metrics.base import Judge, Judgement, Verdict, account_of
from metrics.judges.labelled import Columns, Labelled, known_columns, read_labelled
from metrics.judges.linear.judge import LinearJudge
from metrics.judges.measuring import asked
from metrics.registry import judge

Replies = Sequence[tuple[Prompt, Reply]]
VERDICT = {True: Verdict.REFUSED, False: Verdict.COMPLIED, None: Verdict.UNSURE}
"""Of a human: None where they gave no label."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the flags say of the tables; empty where they say nothing."""

    text: str = ""
    label: str = ""
    refused: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    group: str = ""


def compare_judges(paths: Sequence[Path], judges: str, request: Request, note: Callable[[str], None]) -> Outcome:
    """Every judge on all replies.

    Args:
        paths: Tables of labelled replies, or run folders.
        judges: Their names, by commas.
        request: How the tables are read, where their columns do not tell.
        note: Told of what is left out, and of what judging took.

    Raises:
        UserError: If a path, a column, a label or a judge cannot be used.
    """
    made = _judges(judges)
    folders = [path for path in paths if path.is_dir()]
    if folders and len(folders) < len(paths):
        raise UserError(f"'{folders[0]}' is a folder, others are files. Give tables with labels, or run folders.")
    if folders and request != Request():
        raise UserError(f"'{folders[0]}' is a run folder, which has no human labels: leave the flags of tables out.")
    if folders:
        found = _of_runs(folders, made, note)
    else:
        found = _of_tables({path: _columns(path, request) for path in paths}, made)
    for one in made.values():
        for line in account_of(one).lines:
            note(line)
    return found


def _of_runs(folders: Sequence[Path], judges: Mapping[str, Judge], note: Callable[[str], None]) -> Outcome:
    groups = [group for folder in folders for group in _of_run(folder, judges, note)]
    return outcome(_named(folders), "", _versions(judges), _with_same_readers(groups))


def _of_tables(layouts: Mapping[Path, Columns], judges: Mapping[str, Judge]) -> Outcome:
    tables = {path: read_labelled(path, columns) for path, columns in layouts.items()}
    names = _short_names(list(tables))
    groups = [group for path, some in tables.items() for group in _groups(layouts[path], some, judges, names[path])]
    truth = "; ".join(dict.fromkeys(f"{one.label} {' or '.join(one.refused)}" for one in layouts.values()))
    warnings = _warnings(judges, [reply.text for some in tables.values() for reply in some])
    return outcome(_named(list(tables)), truth, _versions(judges), _with_same_readers(groups), warnings)


def _warnings(judges: Mapping[str, Judge], texts: Sequence[str]) -> list[str]:
    """Of judges that were trained on what they are measured on."""
    seen = {name: one.seen(texts) for name, one in judges.items() if isinstance(one, LinearJudge)}
    return [
        f"'{name}' was trained on {count:,} of these {len(texts):,} replies: its figures here are no measurement. "
        "'equipoise list judges --verbose' tells its error on models that it had not seen."
        for name, count in seen.items()
        if count
    ]


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)


def _versions(judges: Mapping[str, Judge]) -> dict[str, str]:
    return {name: one.version for name, one in judges.items()}


def listed(text: str | None) -> tuple[str, ...]:
    """The names of a flag that takes several by commas."""
    return tuple(part for raw in (text or "").split(",") if (part := raw.strip()))


def _judges(names: str) -> dict[str, Judge]:
    listed = split_outside_brackets(names)
    twice = [name for name in listed if listed.count(name) > 1]
    if twice:
        raise UserError(f"--judges names '{twice[0]}' twice. Name each judge once.")
    return {name: judge(name) for name in listed}


def _columns(path: Path, request: Request) -> Columns:
    """Of a published set, told by its columns, or as the flags say."""
    row = read_rows(path)[0]
    known = known_columns(row)
    if known is None and not (request.text and request.label and request.refused):
        raise UserError(
            f"'{path}' has none of the published layouts. Say --text, --label and --refused. "
            f"Its columns: {', '.join(map(str, row))}."
        )
    base = known or Columns(request.text, request.label, request.refused)
    if request.refused or (request.label and request.label != base.label):
        base = replace(base, refused=request.refused or base.refused, other=())
    return replace(
        base,
        text=request.text or base.text,
        label=request.label or base.label,
        annotators=request.annotators or base.annotators,
        group=request.group,
    )


def _short_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Of files, without the parts between underscores with which all of them begin."""
    parts = [path.stem.split("_") for path in paths]
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False)))
    return {path: "_".join(own[shared:]) or path.stem for path, own in zip(paths, parts, strict=True)}


def _groups(columns: Columns, replies: Sequence[Labelled], judges: Mapping[str, Judge], file_name: str) -> list[Group]:
    """The replies of one table by its column of groups, or all of them under the name of the file."""
    found = {name: _verdicts(one, asked(replies)) for name, one in judges.items()}
    found |= {name: [VERDICT[reply.annotators[name]] for reply in replies] for name in columns.annotators}
    names = dict.fromkeys(reply.group for reply in replies)
    return [_group(name or file_name, name, replies, found) for name in names]


def _group(title: str, name: str, replies: Sequence[Labelled], found: Mapping[str, Sequence[Verdict]]) -> Group:
    """Of the replies in the group `name`, under the name `title`."""
    here = [number for number, reply in enumerate(replies) if reply.group == name]
    verdicts = {reader: tuple(given[number] for number in here) for reader, given in found.items()}
    return Group(title, tuple(replies[number].is_refusal for number in here), verdicts)


def _with_same_readers(groups: Sequence[Group]) -> list[Group]:
    """Groups of one name, of several files, as one; readers that not all files have are left out of the matrix."""
    shared = [reader for reader in groups[0].verdicts if all(reader in group.verdicts for group in groups)]
    joined: dict[str, Group] = {}
    for group in groups:
        old = joined.get(group.name) or Group(group.name, (), {reader: () for reader in shared})
        verdicts = {reader: old.verdicts[reader] + group.verdicts[reader] for reader in shared}
        joined[group.name] = Group(group.name, old.refused + group.refused, verdicts)
    return list(joined.values())


def _of_run(path: Path, judges: Mapping[str, Judge], note: Callable[[str], None]) -> list[Group]:
    folder = RunFolder(path)
    header = folder.header()
    (first, reader), *others = judges.items()
    answers = read_answers(folder, header, reader, note)
    spoken = {one.name for one in answers.benchmarks if one.kind is Kind.GENERATION and one.prompts}
    groups: dict[str, Group] = {}
    for name in dict.fromkeys(cell.benchmark for cell in answers.cells if cell.benchmark in spoken):
        exchanges = [one for cell, some in answers.cells.items() if cell.benchmark == name for one in some]
        given = {first: tuple(one.judgement.verdict for one in exchanges if one.judgement)}
        replies = [(one.prompt, one.reply) for one in exchanges]
        groups[name] = Group(name, (), given | {key: tuple(_verdicts(one, replies)) for key, one in others})
    if not groups:
        raise UserError(f"'{path}' has no finished replies to judge. Finish the run, or give another folder.")
    return list(groups.values())


def _verdicts(one: Judge, replies: Replies) -> list[Verdict]:
    origin = f"Judge '{one.name}'"
    with outside(origin, "reading replies"):
        found = one.judge(replies)
        is_whole = len(found) == len(replies) and all(isinstance(given, Judgement) for given in found)
    check_sound(origin, [] if is_whole else ["it does not give one Judgement a reply"])
    return [given.verdict for given in found]
