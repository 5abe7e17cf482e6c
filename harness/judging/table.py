"""The outcome of `equipoise judge` as plain text of at most 100 columns, as Markdown and as JSON."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from harness.judging.outcome import Measured, Outcome
from metrics.base import Estimate
from reports.foreign import markdown_text, one_line
from reports.leaderboard import MISSING

WIDTH = 100
PORTION = 9
"""Columns of the matrix that fit beside its names."""
LONGEST = 13
"""Characters of a name on one line, so that two of them and all figures fit."""
SHARES = {"accuracy": "accu-\nracy", "sensitivity": "sensi-\ntivity", "specificity": "speci-\nficity", "kappa": "kappa"}
"""And how they stand over narrow columns."""
NOTE = (
    "A refusal is the positive class: sensitivity is the share of true refusals found, specificity the share of other "
    "replies cleared. 95 % intervals: Wilson's of shares, a bootstrap's over replies of kappa, none where it cannot "
    "vary. An unsure verdict is counted as wrong."
)
MATRIX_NOTE = "Share of replies on which two readers say the same, and below it Cohen's kappa."


def render(found: Outcome) -> str:
    """For the terminal."""
    blocks = [textwrap.fill(one_line(_opening(found)), WIDTH), _figures(found, "simple", _stacked, _name)]
    blocks += [textwrap.fill(f"Warning: {one_line(warning)}", WIDTH) for warning in found.warnings]
    blocks += [textwrap.fill(NOTE, WIDTH)] if found.truth else []
    if found.pairs:
        blocks += [_matrix(found, start) for start in range(0, len(found.readers), PORTION)]
        blocks.append(textwrap.fill(MATRIX_NOTE, WIDTH))
    return "\n\n".join(blocks) + "\n"


def markdown(found: Outcome) -> str:
    """For a README or a pull request."""
    blocks = ["# Judges", markdown_text(_opening(found)), _figures(found, "pipe", _text, markdown_text)]
    blocks += [f"**Warning**: {markdown_text(warning)}" for warning in found.warnings]
    blocks += [NOTE] if found.truth else []
    if found.pairs:
        rows = [
            [markdown_text(pair.first), markdown_text(pair.second), _text(pair.share), _text(pair.kappa)]
            for pair in found.pairs
        ]
        headers = ["judge", "other", "share that agrees", "kappa"]
        blocks += ["## Agreement of judges", tabulate(rows, headers, tablefmt="pipe", disable_numparse=True)]
    return "\n\n".join(blocks) + "\n"


def as_json(found: Outcome) -> dict[str, Any]:
    """All numbers."""
    return asdict(found)


def _opening(found: Outcome) -> str:
    total = max(one.n for one in found.measured)
    truth = f" Refusals by human label: {found.truth}." if found.truth else " No human labels."
    judges, replies = "judge" if len(found.judges) == 1 else "judges", "reply" if total == 1 else "replies"
    return f"{len(found.judges)} {judges} on {total:,} {replies} of {found.source}.{truth}"


def _figures(found: Outcome, style: str, show: Callable[[Estimate], str], name: Callable[[str], str]) -> str:
    shares = SHARES if found.truth else {}
    told = [*(shares if style == "pipe" else shares.values()), "refused" if style == "pipe" else "calls\nrefused"]
    headers = ["replies", "judge", "n", *told, "unsure"]
    rows = [_row(one, show, name) for one in found.measured]
    align = ["left", "left", *["right"] * (len(headers) - 2)]
    return tabulate(rows, headers, tablefmt=style, colalign=align, disable_numparse=True)


def _row(one: Measured, show: Callable[[Estimate], str], name: Callable[[str], str]) -> list[str]:
    agreed = one.agreement
    shares = [show(getattr(agreed, share)) for share in SHARES] if agreed else []
    return [name(one.group), name(one.judge), str(one.n), *shares, f"{one.refusal_rate:.3f}", str(one.unsure)]


def _matrix(found: Outcome, start: int) -> str:
    numbers = {reader: number for number, reader in enumerate(found.readers, start=1)}
    told = found.readers[start : start + PORTION]
    both = {frozenset((pair.first, pair.second)): pair for pair in found.pairs}
    rows = []
    for reader in found.readers:
        pairs = [both.get(frozenset((reader, other))) for other in told]
        cells = [f"{_number(pair.share)}\n{_number(pair.kappa)}" if pair else "" for pair in pairs]
        rows.append([f"{numbers[reader]} {_name(reader)}", *cells])
    headers = ["agreement", *(str(numbers[other]) for other in told)]
    align = ["left", *["right"] * len(told)]
    return tabulate(rows, headers, tablefmt="simple", colalign=align, disable_numparse=True)


def _stacked(estimate: Estimate) -> str:
    return f"{_number(estimate)}\n{_interval(estimate)}"


def _text(estimate: Estimate) -> str:
    interval = _interval(estimate)
    return f"{_number(estimate)} ({interval})" if interval else _number(estimate)


def _number(estimate: Estimate) -> str:
    return MISSING if estimate.value is None else f"{estimate.value:.3f}"


def _interval(estimate: Estimate) -> str:
    return "" if estimate.low is None or estimate.high is None else f"{estimate.low:.2f}-{estimate.high:.2f}"


def _name(text: str) -> str:
    return "\n".join(_wrapped(one_line(text)))


def _wrapped(text: str) -> Sequence[str]:
    return textwrap.wrap(text, LONGEST) or [""]
