"""Which benchmarks of the runs a table is made from, where the user does not say."""

from collections.abc import Mapping, Sequence
from itertools import chain

from benchmarks.base import Benchmark, Intent, Kind
from benchmarks.errors import UserError, unknown_name
from benchmarks.registry import PAIRINGS
from harness.columns import Pairing
from harness.paper.evidence import Evidence

SECOND_PAIRS = (
    ("advbench_456", "truthfulqa_753"),
    ("advbench", "truthfulqa"),
    ("embedded_harmful", "embedded_borderline"),
)
"""Plain requests and easily mistaken questions, as in table 6."""
CHOICES = {Kind.MULTIPLE_CHOICE: "accuracy", Kind.WRITTEN_CHOICE: "parsed_accuracy"}
"""Metric of a benchmark with right answers."""


def all_benchmarks(runs: Sequence[Evidence]) -> dict[str, Benchmark]:
    """Those that some run holds."""
    return dict(chain.from_iterable(run.benchmarks.items() for run in runs))


def main_pair(runs: Sequence[Evidence], harmful: str | None, benign: str | None) -> Pairing:
    """The pair of all tables but 5 and 6: the first agreed one of the runs, attacked questions before plain ones.

    Raises:
        UserError: If the runs hold no such benchmarks.
    """
    return _pair(runs, harmful, benign, PAIRINGS, "pair of a harmful and a benign benchmark of free replies")


def second_pair(runs: Sequence[Evidence], harmful: str | None, benign: str | None) -> Pairing:
    """The pair of table 6: another than that of table 2.

    Raises:
        UserError: If the runs hold no such benchmarks.
    """
    agreed = [pair for pair in PAIRINGS if set(pair) <= all_benchmarks(runs).keys()]
    return _pair(runs, harmful, benign, [*SECOND_PAIRS, *agreed[1:]], "pair of benchmarks for table 6", is_second=True)


def knowledge(runs: Sequence[Evidence], chosen: str | None) -> tuple[str, str]:
    """The benchmark with right answers and its metric; an empty name where the runs hold none.

    Raises:
        UserError: If the one that was named is not there or has no right answers.
    """
    there = {name: CHOICES[one.kind] for name, one in all_benchmarks(runs).items() if one.kind in CHOICES}
    if chosen is not None and chosen not in there:
        raise unknown_name("benchmark with right answers in these runs", chosen, there)
    name = chosen or next((name for name in ("mmlu", *there) if name in there), "")
    return name, there.get(name, "accuracy")


def attacked(runs: Sequence[Evidence], chosen: str | None) -> str:
    """The harmful benchmark of table 5 that has attacks: that of an agreed pair before others.

    Raises:
        UserError: If the runs hold none, or not the one that was named.
    """
    known = all_benchmarks(runs)
    if chosen is not None:
        return _known(known, chosen, Intent.HARMFUL)
    order = [*(harmful for harmful, _ in PAIRINGS if harmful in known), *known]
    found = [name for name in order if _is_harmful(known[name]) and not _is_plain(known[name])]
    if not found:
        raise UserError(
            "No run holds attacked harmful questions. Run such a benchmark too, or name one: --harmful NAME."
        )
    return found[0]


def plain_counterpart(runs: Sequence[Evidence], attacked: str, chosen: str | None) -> str:
    """The benchmark that asks the attacked questions plainly: the one that shares most of them.

    Raises:
        UserError: If none of the runs' benchmarks does, or the one that was named is not there.
    """
    known = all_benchmarks(runs)
    if chosen == attacked:
        raise UserError(f"'{chosen}' is already the one with attacks. Name the same questions without: --plain NAME.")
    if chosen is not None:
        return _known(known, chosen, Intent.HARMFUL)
    plain = [name for name, one in known.items() if _is_plain(one) and name != attacked]
    shares = {name: shared_questions(known, attacked, name) for name in plain}
    best = max(shares, key=lambda name: shares[name], default=None)
    if best is None:
        raise UserError(
            f"No run holds plain harmful questions to set beside '{attacked}'. Run such a benchmark too, or name it: "
            "--plain NAME."
        )
    return best


def shared_questions(known: Mapping[str, Benchmark], attacked: str, plain: str) -> int:
    """Questions of the attacked benchmark that the other asks too."""
    asked = {prompt.plain for prompt in known[plain].prompts}
    return len({prompt.plain for prompt in known[attacked].prompts} & asked)


def _pair(
    runs: Sequence[Evidence],
    harmful: str | None,
    benign: str | None,
    agreed: Sequence[tuple[str, str]],
    wanted: str,
    *,
    is_second: bool = False,
) -> Pairing:
    known = all_benchmarks(runs)
    for name, intent in ((harmful, Intent.HARMFUL), (benign, Intent.BENIGN)):
        if name is not None:
            _known(known, name, intent)
    fits = [pair for pair in agreed if set(pair) <= known.keys()]
    fits = [pair for pair in fits if harmful in (None, pair[0]) and benign in (None, pair[1])]
    if fits:
        return Pairing(*fits[0])
    sides = [_first(known, intent) for intent in (Intent.HARMFUL, Intent.BENIGN)]
    harmful, benign = harmful or ("" if is_second else sides[0]), benign or ("" if is_second else sides[1])
    if not harmful or not benign:
        raise UserError(f"These runs hold no {wanted}; they hold {', '.join(known) or 'none'}. {_way_out(known)}")
    return Pairing(harmful, benign)


def _way_out(known: Mapping[str, Benchmark]) -> str:
    if all(_first(known, intent) for intent in Intent):
        return "Name one of each: --harmful NAME --benign NAME."
    return "Run one of each with the same arms, or add the run that has them."


def _known(known: Mapping[str, Benchmark], name: str, intent: Intent) -> str:
    if name not in known:
        raise unknown_name("benchmark in these runs", name, known)
    if known[name].kind is not Kind.GENERATION:
        raise UserError(f"'{name}' has right answers and no refusals. Name a benchmark of free replies.")
    if known[name].intent is not intent:
        raise UserError(f"'{name}' asks {known[name].intent} questions. Name a {intent} benchmark in its place.")
    return name


def _first(known: Mapping[str, Benchmark], intent: Intent) -> str:
    spoken = (name for name, one in known.items() if one.kind is Kind.GENERATION and one.intent is intent)
    return next(spoken, "")


def _is_harmful(benchmark: Benchmark) -> bool:
    return benchmark.kind is Kind.GENERATION and benchmark.intent is Intent.HARMFUL


def _is_plain(benchmark: Benchmark) -> bool:
    return _is_harmful(benchmark) and not any(prompt.attack for prompt in benchmark.prompts)
