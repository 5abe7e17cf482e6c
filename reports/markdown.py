"""The report as GitHub Markdown: leaderboard, differences to `default`, every number, methods, provenance."""

from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

from reports.base import Arm, Column, Comparison
from reports.facts import Fact, costs, environment, facts, protocol, reproduction
from reports.foreign import markdown_text, one_line
from reports.leaderboard import MISSING, benchmarks, cell, counted, title, unscored


def render(comparison: Comparison) -> str:
    """Everything but the replies, fit for a README, a pull request or a paper's appendix."""
    sections = (
        _opening(comparison),
        _leaderboard(comparison),
        _differences(comparison),
        _notes(comparison),
        _all_numbers(comparison),
        _meanings(comparison),
        _methods(comparison),
        _provenance(comparison),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _opening(comparison: Comparison) -> str:
    seeds = ", ".join(map(str, comparison.seeds))
    return (
        f"# Safety-alignment methods on {markdown_text(comparison.model)}\n\n"
        f"{len(comparison.arms)} arms, seeds {seeds}, judged by {markdown_text(comparison.judge)}."
    )


def _leaderboard(comparison: Comparison) -> str:
    rows = [
        [_name(arm), *(cell(comparison, arm, column).text for column in comparison.headline)] for arm in comparison.arms
    ]
    caption = "Brackets hold 95 % intervals. ↑ higher is better, ↓ lower is better."
    return f"## Leaderboard\n\n{_table(_headers(comparison), rows)}\n\n{caption}"


def _differences(comparison: Comparison) -> str:
    default = markdown_text(comparison.arms[0].name)
    rows = [
        [_name(arm), *(_delta(comparison, arm, column) for column in comparison.headline)]
        for arm in comparison.arms[1:]
    ]
    if not rows:
        return ""
    caption = (
        f"Shares differ in percentage points. \\* the 95 % intervals of the arm and of "
        f"{default} do not overlap; any other difference may be noise."
    )
    return f"## Difference to {default}\n\n{_table(_headers(comparison), rows)}\n\n{caption}"


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
    return "\n\n".join([*unscored_line, *(["\n".join(failures)] if failures else [])])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{markdown_text(arm)} {count}" for arm, count in counts.items())


def _all_numbers(comparison: Comparison) -> str:
    headers = ["metric", *(_name(arm) for arm in comparison.arms), "n"]
    tables = [
        f"### {markdown_text(benchmark)}\n\n{_table(headers, [_metric_row(comparison, column) for column in columns])}"
        for benchmark, columns in benchmarks(comparison).items()
    ]
    return "\n\n".join(["## All numbers", *tables])


def _metric_row(comparison: Comparison, column: Column) -> list[str]:
    cells = (cell(comparison, arm, column).text for arm in comparison.arms)
    return [markdown_text(title(column)), *cells, counted(comparison, column).removeprefix("n ")]


def _meanings(comparison: Comparison) -> str:
    meanings = {column.title: column.meaning for column in comparison.columns if column.meaning}
    lines = [f"- **{markdown_text(name)}**: {markdown_text(meaning)}" for name, meaning in meanings.items()]
    return "\n".join(["## What the numbers mean\n", *lines]) if lines else ""


def _methods(comparison: Comparison) -> str:
    return "\n\n".join(["## Methods", *(_method(arm, comparison.arms[0]) for arm in comparison.arms)])


def _method(arm: Arm, default: Arm) -> str:
    lines = [
        f"### {markdown_text(arm.name)}\n",
        *_bullets([Fact("method", arm.method), Fact("paper", arm.paper), Fact("fidelity", arm.fidelity)]),
        *(f"- deviation: {markdown_text(deviation)}" for deviation in arm.deviations),
        *_joined("settings", facts(arm.settings)),
        *_joined("cost", costs(arm, default)),
        *_joined("diagnostics", facts(arm.diagnostics)),
    ]
    return "\n".join(lines)


def _provenance(comparison: Comparison) -> str:
    rows = [[markdown_text(name), markdown_text(text)] for name, text in protocol(comparison)]
    rows += [[markdown_text(name), markdown_text(text)] for name, text in environment(comparison)]
    command = one_line(reproduction(comparison))
    again = f"\n\nTo run it again:\n\n    {command}" if command else ""
    return f"## Provenance\n\n{_table(['what', 'value'], rows)}{again}" if rows or again else ""


def _headers(comparison: Comparison) -> list[str]:
    return ["arm", *(f"{_full_title(column)}<br>{counted(comparison, column)}" for column in comparison.headline)]


def _full_title(column: Column) -> str:
    return f"{markdown_text(column.benchmark)}: {markdown_text(title(column))}"


def _name(arm: Arm) -> str:
    return markdown_text(arm.name) + (" (failed)" if arm.failure else "")


def _delta(comparison: Comparison, arm: Arm, column: Column) -> str:
    return cell(comparison, arm, column).marked_delta.replace("*", "\\*") or MISSING


def _bullets(pairs: Iterable[Fact]) -> list[str]:
    return [f"- {name}: {markdown_text(text)}" for name, text in pairs if text]


def _joined(name: str, pairs: Sequence[Fact]) -> list[str]:
    text = ", ".join(f"{markdown_text(pair.name)} {markdown_text(pair.text)}" for pair in pairs)
    return [f"- {name}: {text}"] if pairs else []


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["left", *(["right"] * (len(headers) - 1))] if len(headers) > 2 else ["left", "left"][: len(headers)]
    return tabulate(rows, headers, tablefmt="pipe", colalign=align if rows else None, disable_numparse=True)
