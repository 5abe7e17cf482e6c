"""Two arms, wherever they come from, put to the same prompts: what is not in both is left out and counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any, NamedTuple

from benchmarks.base import Benchmark, Prompt
from benchmarks.errors import UserError
from harness.answers import Answers
from harness.columns import find_pairings, make_columns
from harness.comparison import compared, describe_arm
from harness.contrast.choosing import Pair, Side
from harness.evidence import Evidence
from harness.plan import Cell
from harness.protocol import differences
from harness.safeedit import find_protocols
from harness.scores import ScoreTable
from metrics.base import Exchange
from reports.base import Comparison


class Shared(NamedTuple):
    """One benchmark that both have finished."""

    benchmark: Benchmark
    """With the prompts of both."""
    cells: Mapping[Cell, tuple[Exchange, ...]]
    notes: tuple[str, ...]


class Joined(NamedTuple):
    """Two arms as a comparison whose first is the baseline, and what is to be known of it."""

    comparison: Comparison
    notes: tuple[str, ...]


def join(pair: Pair) -> Joined:
    """One comparison of two arms.

    Raises:
        UserError: If there is no prompt that both have answered.
    """
    names = _names(pair)
    shared = list(_shared(pair, names))
    if not any(one.cells for one in shared):
        raise UserError(
            f"There is no prompt that both have answered: '{names[0]}' has finished {_finished(pair.a)}; "
            f"'{names[1]}' has finished {_finished(pair.b)}."
        )
    kept = [one for one in shared if one.cells]
    answers = Answers(
        tuple(one.benchmark for one in kept), {cell: exchanges for one in kept for cell, exchanges in one.cells.items()}
    )
    comparison = compared(_evidence(pair, names, answers))
    notes = (*_alone(pair, names), *(note for one in shared for note in one.notes), *_changes(pair))
    return Joined(_told(comparison, pair, names, notes), notes)


def run_name(run: Evidence) -> str:
    """The last part of a run's folder or URL."""
    return PurePath(run.folder.name).name or run.folder.name


def _names(pair: Pair) -> tuple[str, str]:
    """Of the arms in the comparison: by themselves within a run, else with their runs."""
    a, b = pair
    if a.run is b.run:
        return a.arm, b.arm
    runs = [run_name(side.run) for side in pair]
    told = runs if runs[0] != runs[1] else [f"A: {pair.a.run.folder.name}", f"B: {pair.b.run.folder.name}"]
    return f"{a.arm} ({told[0]})", f"{b.arm} ({told[1]})"


def _evidence(pair: Pair, names: Sequence[str], answers: Answers) -> Evidence:
    """Both as arms of the first's run."""
    pairings, protocols = find_pairings(answers.benchmarks), find_protocols(answers.benchmarks)
    arms = [{**side.described, "name": name} for side, name in zip(pair, names, strict=True)]
    return replace(
        pair.a.run,
        header={**pair.a.run.header, "arms": arms},
        answers=answers,
        pairings=pairings,
        protocols=protocols,
        columns=make_columns(answers.benchmarks, pairings, protocols),
        table=ScoreTable(answers),
    )


def _told(comparison: Comparison, pair: Pair, names: Sequence[str], notes: Sequence[str]) -> Comparison:
    """The comparison with the facts of either run in place of the first's."""
    described = [describe_arm(side.run.folder, side.described, side.run.answers) for side in pair]
    arms = tuple(replace(arm, name=name) for arm, name in zip(described, names, strict=True))
    provenance = comparison.provenance
    if pair.a.run is not pair.b.run:
        provenance = {letter: side.run.header["provenance"] for letter, side in zip("AB", pair, strict=True)}
    models = dict.fromkeys(side.run.header["protocol"]["model"]["name"] for side in pair)
    told = {"compared": list(notes), **provenance}
    return replace(comparison, arms=arms, model=" / ".join(models), provenance=told)


def _shared(pair: Pair, names: Sequence[str]) -> Iterator[Shared]:
    """Every benchmark that both runs have."""
    others = {benchmark.name: benchmark for benchmark in pair.b.run.answers.benchmarks}
    for benchmark in pair.a.run.answers.benchmarks:
        if benchmark.name in others:
            yield _joined(pair, names, benchmark, others[benchmark.name])


def _joined(pair: Pair, names: Sequence[str], ours: Benchmark, theirs: Benchmark) -> Shared:
    places = [{_content(prompt): place for place, prompt in enumerate(one.prompts)} for one in (ours, theirs)]
    kept = [content for content in places[0] if content in places[1]]
    notes = []
    lost = [len(place) - len(kept) for place in places]
    if any(lost):
        notes.append(f"{ours.name}: {len(kept)} prompts are in both; left out: {lost[0]} of A, {lost[1]} of B")
    seeds = [side.run.answers.seeds(side.arm, ours.name) for side in pair]
    missing = [name for name, found in zip(names, seeds, strict=True) if not found]
    notes += [f"{ours.name}: left out, since {name} has not finished it" for name in missing]
    if missing or not kept:
        return Shared(ours, {}, tuple(notes))
    seeds, told = _paired_seeds(pair, seeds)
    notes += [f"{ours.name}: {told}"] if told else []
    cells = {}
    for side, name, chosen, place in zip(pair, names, seeds, places, strict=True):
        for seed in chosen:
            exchanges = side.run.answers.cells[Cell(side.arm, seed, ours.name)]
            cells[Cell(name, seed, ours.name)] = tuple(exchanges[place[content]] for content in kept)
    prompts = tuple(ours.prompts[places[0][content]] for content in kept)
    return Shared(replace(ours, prompts=prompts), cells, tuple(notes))


def _content(prompt: Prompt) -> tuple[object, ...]:
    """What must be equal for two prompts to be one."""
    return prompt.id, prompt.messages, prompt.choices, prompt.intent, prompt.is_raw


def _paired_seeds(pair: Pair, seeds: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], str]:
    """Seeds of either side, and what is to be said of them; an arm without chance stands beside every seed."""
    a, b = seeds
    if a == b or any(_is_without_chance(side) for side in pair):
        return [a, b], ""
    listed = " / ".join(", ".join(map(str, one)) for one in seeds)
    both = tuple(seed for seed in a if seed in b)
    if both:
        return [both, both], f"seeds {listed}: those of both are compared"
    least = min(len(a), len(b))
    return [a[:least], b[:least]], f"seeds {listed}: none is in both, so they are paired in their order"


def _is_without_chance(side: Side) -> bool:
    """Whether one seed's replies serve all seeds of its run."""
    return len(side.described["seeds"]) == 1 < len(side.run.header["protocol"]["seeds"])


def _alone(pair: Pair, names: Sequence[str]) -> Iterator[str]:
    """Benchmarks that one run alone has."""
    sets = [{benchmark.name for benchmark in side.run.answers.benchmarks} for side in pair]
    for name, own, other in zip(names, sets, reversed(sets), strict=True):
        if own - other:
            yield f"left out, since only {name} has them: {', '.join(sorted(own - other))}"


def _changes(pair: Pair) -> Iterator[str]:
    """Of the two runs' protocols, then of the arms' settings: `differs: max_new_tokens 96 / 48`."""
    a, b = pair
    changes = list(differences(*_protocols(pair)))
    if a.described["method"] == b.described["method"]:
        changes += differences({"settings": a.described["settings"]}, {"settings": b.described["settings"]})
    for change in changes:
        key, _, values = change.partition(": ")
        before, _, after = values.partition(" -> ")
        whose = "; A's is taken for both" if key.startswith("su_f1.") else ""
        yield f"differs: {_plain(key)} {_value(before)} / {_value(after)}{whose}"


def _protocols(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    """But for the arms, which the user names, for seeds and prompts, of which there is a note where they differ."""
    protocols = [side.run.header["protocol"] for side in pair]
    shared = [name for name in protocols[0]["benchmarks"] if name in protocols[1]["benchmarks"]]
    first, second = (
        {name: part for name, part in protocol.items() if name not in ("arms", "seeds", "benchmarks")}
        | {"benchmarks": {name: protocol["benchmarks"][name].get("revision") for name in shared}}
        for protocol in protocols
    )
    return first, second


def _plain(key: str) -> str:
    return key.removeprefix("generation.").removeprefix("settings.")


def _value(text: str) -> str:
    """A hash is told by its start."""
    bare = text.strip('"')
    is_hash = len(bare) >= 40 and all(letter in "0123456789abcdef" for letter in bare)
    return bare[:12] if is_hash else text


def _finished(side: Side) -> str:
    found = dict.fromkeys(cell.benchmark for cell in side.run.answers.cells if cell.arm == side.arm)
    return ", ".join(found) or "nothing"
