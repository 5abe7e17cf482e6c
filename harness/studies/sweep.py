"""Table 7: NeuronTune over a grid of neuron counts."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.errors import UserError
from harness import values
from harness.arms import make_arm
from harness.studies.base import Finding, Finished, Option, Request, Results, Study
from harness.studies.neurons import settings_of
from harness.studies.wording import cell, compared, headers, listed, no_finding, numbers, verdict
from metrics.base import Difference
from metrics.paired import holm
from metrics.pareto import Axes, front
from reports.figures import Plot, interval
from reports.heat_map import Grid, heat_maps
from reports.leaderboard import number, readable, title
from reports.pareto import Place, pareto_front

RUN = "sweep"
NAMED_BEFORE = "The tested pair was named before the run, so no other was chosen on these prompts to compare it with."


def counts(request: Request) -> list[int]:
    """The counts of either set.

    Raises:
        UserError: If one is no whole number.
    """
    return [values.whole_number("counts", text, low=1) for text in request.options["counts"].split(",")]


def heuristic(request: Request) -> int:
    """The equal count that is held against all other pairs.

    Raises:
        UserError: If it is none of the counts.
    """
    equal = values.whole_number("equal", request.options["equal"], low=1)
    if equal not in counts(request):
        raise UserError(f"equal is {equal}; it must be one of the counts, {request.options['counts']}.")
    return equal


def label(safety: int, utility: int) -> str:
    """Of an arm: as in the paper's table, without the slash, which no folder may have."""
    return f"{safety}-{utility}"


def runs(request: Request) -> dict[str, Mapping[str, Any]]:
    """An arm for each pair of counts."""
    grid, settings = counts(request), settings_of(request)
    heuristic(request)
    pairs = [(safety, utility) for utility in grid for safety in grid]
    arms = [
        make_arm("neurontune", {**settings, "safety_neurons": one, "utility_neurons": other}, label(one, other))
        for one, other in pairs
    ]
    return {RUN: request.run(arms, "embedded_attacked,embedded_benign", "safeedit_975,alpaca_100")}


def conclude(request: Request, results: Results) -> Finding:
    """Every pair against the heuristic's, the Pareto front, and what more safety neurons do."""
    run, grid, equal = results[RUN], counts(request), heuristic(request)
    baseline = label(equal, equal)
    arms = [label(safety, utility) for utility in grid for safety in grid]
    found = run.against(baseline, [arm for arm in arms if arm != baseline], run.su_f1.key)
    best = _front(run, arms)
    columns = run.main_columns()
    rows = [
        [
            arm,
            *(cell(run, arm, column) for column in columns),
            compared(run.su_f1, found.get(arm)),
            "yes" if arm in best else "",
        ]
        for arm in ("default", *arms)
    ]
    return Finding(
        sentence=_sentence(run, baseline, found, best),
        headers=["safety-utility neurons", *headers(columns), f"SU-F1 against {baseline}", "Pareto front"],
        rows=rows,
        figures={"heat_map": _heat_map(run, grid), **({"pareto_front": _pareto(run, arms, best)} if best else {})},
        notes=[NAMED_BEFORE, *_more_safety_neurons(run, grid)],
        facts={"su_f1_against_equal": {arm: numbers(one) for arm, one in found.items()}, "front": best},
    )


def _sentence(run: Finished, baseline: str, found: Mapping[str, Difference], best: Sequence[str]) -> str:
    if not found:
        return no_finding(run, baseline)
    better = [arm for arm, one in found.items() if one.is_significant and one.value > 0]
    worse = [arm for arm, one in found.items() if one.is_significant and one.value < 0]
    top = max(found, key=lambda arm: found[arm].value)
    place = f"{'on' if baseline in best else 'not on'} the Pareto front of safety and utility"
    told = f"the highest, {top}, shows {verdict(run.su_f1, found[top])}"
    if better:
        answer = f"Equal counts ({baseline}) are no good heuristic here: {len(better)} of {len(found)} other pairs have"
    else:
        answer = f"Nothing speaks against equal counts ({baseline}) here: none of {len(found)} other pairs has"
    return f"{answer} a higher SU-F1 beyond noise, {len(worse)} a lower one; {told}; {baseline} is {place}."


def _front(run: Finished, arms: Sequence[str]) -> list[str]:
    """Arms that no other beats in safety and utility."""
    name = run.pairing.name
    axes = {}
    for arm in arms:
        safety, utility = (run.estimate(arm, f"{name}/{axis}") for axis in Axes._fields)
        if safety and utility and safety.value is not None and utility.value is not None:
            axes[arm] = Axes(safety.value, utility.value)
    return list(front(list(axes), axes.__getitem__))


def _pareto(run: Finished, arms: Sequence[str], best: Sequence[str]) -> Plot:
    name = run.pairing.name
    places = {}
    for arm in ("default", *arms):
        utility, safety = (interval(run.estimate(arm, f"{name}/{axis}")) for axis in ("utility", "safety"))
        if utility and safety:
            places[arm] = Place(utility, safety)
    return pareto_front(f"{RUN} front", readable(name), places, best)


def _heat_map(run: Finished, grid: Sequence[int]) -> Plot:
    harmful = run.pairing.harmful
    columns = [run.column(f"{harmful}/{metric}") for metric in ("refusal_rate", "entropy")]
    panels = []
    for column in (*columns, run.su_f1):
        found = [[run.estimate(label(safety, utility), column.key) for utility in grid] for safety in grid]
        cells = [[one.value if one else None for one in row] for row in found]
        texts = [[number(column, one) if one is not None else "failed" for one in row] for row in cells]
        panels.append(Grid(f"{title(column)}", cells, texts))
    names = [str(count) for count in grid]
    return heat_maps(
        RUN, "Neuron counts", f"{harmful}, and SU-F1", panels, ("safety neurons", "utility neurons"), names
    )


def _more_safety_neurons(run: Finished, grid: Sequence[int]) -> list[str]:
    """The paper's first observation: refusals with the most against the fewest safety neurons."""
    column = run.column(f"{run.pairing.harmful}/refusal_rate")
    found: dict[int, Difference] = {}
    for utility in grid if len(grid) > 1 else []:
        most = label(max(grid), utility)
        tested = run.against(label(min(grid), utility), [most], column.key)
        found |= {utility: tested[most]} if most in tested else {}
    told = [
        f"with {utility} utility neurons {verdict(column, one)}"
        for utility, one in zip(found, holm(list(found.values())), strict=True)
    ]
    return [f"Refusals with {max(grid)} instead of {min(grid)} safety neurons: {listed(told)}."] if told else []


SWEEP = Study(
    name="sweep",
    question="Are equal counts of safety and utility neurons a good heuristic, and what do more neurons do?",
    paper="table 7, and the choice of counts",
    runs=runs,
    conclude=conclude,
    options={
        "counts": Option("Counts of either set.", "25,50,100,200", "500,1000,1500,2000"),
        "equal": Option("The equal count that all other pairs are tested against.", "50", "1500"),
    },
    method="neurontune",
)
