"""The report as GitHub Markdown: leaderboard, differences with their tests, every number, methods, provenance."""

from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

from reports.base import Arm, Column, Comparison
from reports.cards import ArmFacts, Card, Setting, cards
from reports.cautions import cautions
from reports.corrections import corrections, error_told
from reports.differences import HEADERS, rows
from reports.facts import Fact, environment, protocol, reproduction
from reports.finding import finding
from reports.flagged import Flagged
from reports.foreign import markdown_text, one_line
from reports.leaderboard import (
    LEARNS,
    MARK,
    MISSING,
    NOT_SIGNIFICANT,
    RULE,
    benchmarks,
    cell,
    counted,
    meanings,
    title,
    unscored,
)
from reports.opinions import HEADERS as OPINION_HEADERS
from reports.opinions import NOTE as OPINION_NOTE
from reports.opinions import opinions
from reports.sections import Section, compared_text, sections


def render(comparison: Comparison) -> str:
    """Everything but the replies, fit for a README, a pull request or a paper's appendix."""
    parts = (
        _opening(comparison),
        _leaderboard(comparison),
        _differences(comparison),
        _corrections(comparison),
        _opinions(comparison),
        _notes(comparison),
        *(_section(comparison, section) for section in sections(comparison)),
        _all_numbers(comparison),
        _meanings(comparison),
        _methods(comparison),
        _provenance(comparison),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(comparison: Comparison) -> str:
    seeds = ", ".join(map(str, comparison.seeds))
    lead, lines = finding(comparison)
    found = "\n".join([markdown_text(lead), *([""] if lines else []), *(f"- {markdown_text(line)}" for line in lines)])
    warned = [f"- {markdown_text(line)}" for line in cautions(comparison)]
    found += "\n".join(["\n\nWarnings:\n", *warned]) if warned else ""
    return (
        f"# Safety-alignment methods on {markdown_text(comparison.model)}\n\n"
        f"{len(comparison.arms)} arms, seeds {seeds}, judged by {markdown_text(comparison.judge)}.\n\n{found}"
    )


def _leaderboard(comparison: Comparison) -> str:
    caption = "Brackets hold 95 % intervals. ↑ higher is better, ↓ lower is better."
    numbers = [
        [_name(arm), *(cell(comparison, arm, column).text for column in comparison.headline)] for arm in comparison.arms
    ]
    return f"## Leaderboard\n\n{_table(_headers(comparison), numbers)}\n\n{caption}"


def _differences(comparison: Comparison) -> str:
    default = markdown_text(comparison.arms[0].name)
    deltas = [
        [_name(arm), *(_delta(comparison, arm, column) for column in comparison.headline)]
        for arm in comparison.arms[1:]
    ]
    tests = [
        [_full_title(column), _name(row.arm), *map(markdown_text, row.texts)]
        for column in comparison.headline
        for row in rows(comparison, column)
    ]
    if not tests:
        return ""
    caption = (
        f"Shares differ in percentage points. {markdown_text(MARK)} {markdown_text(RULE)}; {NOT_SIGNIFICANT} is not "
        f"significant. Only prompts with a score from both count."
    )
    tables = [_table(_headers(comparison), deltas), caption, _table(["column", "arm", *HEADERS], tests)]
    return "\n\n".join([f"## Differences to {default}", *tables])


def _corrections(comparison: Comparison) -> str:
    if comparison.known_error is None or not comparison.corrected:
        return ""
    lines = [[_full_title(one.column), _name(one.arm), one.raw.text, one.text] for one in corrections(comparison)]
    table = _table(["column", "arm", "as judged", "corrected"], lines)
    told = markdown_text(error_told(comparison.known_error))
    return "\n\n".join(["## Refusals, corrected for the judge's error", table, told])


def _opinions(comparison: Comparison) -> str:
    told = opinions(comparison)
    if not told:
        return ""
    lines = [[f"{markdown_text(one.judge)}<br>{one.read}", *map(markdown_text, one.texts)] for one in told]
    table = _table(["other judge", *OPINION_HEADERS], lines)
    return "\n\n".join(["## Other judges on the same replies", table, markdown_text(OPINION_NOTE)])


def _notes(comparison: Comparison) -> str:
    left_out = [
        f"{markdown_text(column.benchmark)} {markdown_text(column.title)} ({_counts(counts)})"
        for column, counts in unscored(comparison)
    ]
    failures = [
        f"- **{markdown_text(arm.name)}** failed: {markdown_text(arm.failure)}"
        for arm in comparison.arms
        if arm.failure
    ]
    unscored_line = [f"Unscored replies, left out of the numbers: {', '.join(left_out)}."] if left_out else []
    learning = [f"- **{markdown_text(arm.name)}** {LEARNS}." for arm in comparison.arms if arm.learns_from_prompts]
    lists = ["\n".join(lines) for lines in (learning, failures) if lines]
    return "\n\n".join([*unscored_line, *lists])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{markdown_text(arm)} {count}" for arm, count in counts.items())


def _section(comparison: Comparison, section: Section) -> str:
    parts = [f"## {markdown_text(section.title)}", markdown_text(section.note)]
    if section.columns:
        headers = ["arm", *(_counted_title(comparison, column) for column in section.columns)]
        numbers = [
            [_name(arm), *(markdown_text(compared_text(cell(comparison, arm, column))) for column in section.columns)]
            for arm in comparison.arms
        ]
        parts.append(_table(headers, numbers))
    for split in section.splits:
        headers = ["arm", *(f"{markdown_text(one.category)}<br>{counted(comparison, one)}" for one in split.columns)]
        numbers = [
            [_name(arm), *(markdown_text(compared_text(cell(comparison, arm, one))) for one in split.columns)]
            for arm in comparison.arms
        ]
        heading = f"### {markdown_text(split.benchmark)}: {markdown_text(title(split.columns[0]))} by attack category"
        parts += [heading, _table(headers, numbers)]
    return "\n\n".join(parts)


def _counted_title(comparison: Comparison, column: Column) -> str:
    return f"{_full_title(column)}<br>{counted(comparison, column)}"


def _all_numbers(comparison: Comparison) -> str:
    tables = [
        f"### {markdown_text(benchmark)}\n\n{_numbers(comparison, columns)}"
        for benchmark, columns in benchmarks(comparison).items()
    ]
    return "\n\n".join(["## All numbers", *tables])


def _numbers(comparison: Comparison, columns: Sequence[Column]) -> str:
    headers = ["arm", *(f"{markdown_text(title(column))}<br>{counted(comparison, column)}" for column in columns)]
    numbers = [[_name(arm), *(cell(comparison, arm, column).text for column in columns)] for arm in comparison.arms]
    return _table(headers, numbers)


def _meanings(comparison: Comparison) -> str:
    lines = [f"- **{markdown_text(name)}**: {markdown_text(text)}" for name, text in meanings(comparison).items()]
    return "\n".join(["## What the numbers mean\n", *lines]) if lines else ""


def _methods(comparison: Comparison) -> str:
    return "\n\n".join(["## Methods", *map(_method, cards(comparison))])


def _method(card: Card) -> str:
    lines = [
        f"### {markdown_text(card.name)}\n",
        *_bullets([Fact("what", card.summary), Fact("paper", card.paper), Fact("fidelity", card.fidelity)]),
        *(f"- deviation: {markdown_text(deviation)}" for deviation in card.deviations),
        *_bullets([Fact("needs", card.needs)]),
        *(line for arm in card.arms for line in _arm(arm)),
        *map(_flagged, card.flagged),
        *map(_setting, card.settings),
    ]
    return "\n".join(lines)


def _arm(arm: ArmFacts) -> list[str]:
    changes = _joined("", arm.changes) or "all settings at their defaults" * arm.keeps_defaults
    told = [arm.tuning, changes, _joined("cost: ", arm.costs), _joined("diagnostics: ", arm.diagnostics)]
    return [f"- arm **{markdown_text(arm.name)}**: {'; '.join(part for part in told if part)}"]


def _flagged(row: Flagged) -> str:
    questions = f"{row.intent} dev questions of {markdown_text(row.source)}"
    return f"- flagged by **{markdown_text(row.arm)}**: {row.share} % of {questions}"


def _setting(setting: Setting) -> str:
    name, values = markdown_text(setting.name), markdown_text(setting.values)
    if not setting.meaning:
        return f"- setting **{name}** = {values}"
    allowed = ", ".join(markdown_text(part) for part in (setting.unit, setting.allowed) if part)
    told = f"{markdown_text(setting.meaning)} Source: {markdown_text(setting.source)}."
    here = f" Here: **{values}**." if values else ""
    return f"- setting **{name}** = {markdown_text(setting.default)} ({allowed}): {told}{here}"


def _provenance(comparison: Comparison) -> str:
    found = [*protocol(comparison), *environment(comparison)]
    pairs = [[markdown_text(name), markdown_text(text)] for name, text in found]
    command = one_line(reproduction(comparison))
    again = f"\n\nTo run it again:\n\n    {command}" if command else ""
    return f"## Provenance\n\n{_table(['what', 'value'], pairs)}{again}" if pairs or again else ""


def _headers(comparison: Comparison) -> list[str]:
    return ["arm", *(_counted_title(comparison, column) for column in comparison.headline)]


def _full_title(column: Column) -> str:
    return f"{markdown_text(column.benchmark)}: {markdown_text(title(column))}"


def _name(arm: Arm) -> str:
    return markdown_text(arm.name) + (" (failed)" if arm.failure else "")


def _delta(comparison: Comparison, arm: Arm, column: Column) -> str:
    return markdown_text(cell(comparison, arm, column).marked_delta) or MISSING


def _bullets(pairs: Iterable[Fact]) -> list[str]:
    return [f"- {name}: {markdown_text(text)}" for name, text in pairs if text]


def _joined(name: str, pairs: Sequence[Fact]) -> str:
    text = ", ".join(f"{markdown_text(pair.name)} {markdown_text(pair.text)}" for pair in pairs)
    return f"{name}{text}" if pairs else ""


def _table(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    align = ["left", *(["right"] * (len(headers) - 1))] if len(headers) > 2 else ["left", "left"][: len(headers)]
    return tabulate(lines, headers, tablefmt="pipe", colalign=align if lines else None, disable_numparse=True)
