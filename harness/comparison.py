"""From exchanges to a comparison: scores, estimates, and the facts about each arm."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.base import Kind, Prompt
from harness.answers import Answers, Note, read_answers
from harness.columns import Pairing, find_pairings, make_columns
from harness.fitting import read_facts
from harness.plan import Cell
from harness.run_folder import RunFolder
from metrics import su_f1
from metrics.base import Estimate, Exchange
from metrics.registry import METRICS, judge
from reports.base import Arm, Column, Comparison, Sample

if TYPE_CHECKING:
    from jaxtyping import Float

Estimates = dict[tuple[str, str], Estimate]


def compare(folder: RunFolder, judge_name: str | None, note: Note) -> Comparison:
    """Judge the replies of a run and estimate every number. `judge_name` overrides the judge of its protocol.

    Raises:
        UserError: If this is no run folder, or there is no such judge.
    """
    header = folder.header()
    protocol = header["protocol"]
    chosen = judge(judge_name or protocol["judge"])
    answers = read_answers(folder, header, chosen, note)
    pairings = find_pairings(answers.benchmarks)
    columns = make_columns(answers.benchmarks, pairings)
    estimates: Estimates = {}
    for arm in header["arms"]:
        estimates |= _single(answers, arm["name"], columns)
        for pairing in pairings:
            estimates |= _joint(answers, arm["name"], pairing, su_f1.Bounds(**protocol["su_f1"]))
    return Comparison(
        model=protocol["model"]["name"],
        arms=tuple(_arm(folder, described, answers) for described in header["arms"]),
        columns=columns,
        estimates=estimates,
        samples=tuple(_samples(answers)),
        seeds=tuple(protocol["seeds"]),
        judge=f"{chosen.name} {chosen.version}",
        protocol=protocol,
        provenance=_provenance(header),
    )


def _single(answers: Answers, arm: str, columns: Sequence[Column]) -> Estimates:
    """Estimates of the columns that belong to one benchmark each."""
    found: Estimates = {}
    for column in columns:
        seeds = answers.seeds(arm, column.benchmark) if column.metric in METRICS else ()
        if seeds:
            scores = _scores(answers, arm, column.benchmark, seeds, column.metric)
            found[arm, column.key] = METRICS[column.metric].estimate(scores)
    return found


def _joint(answers: Answers, arm: str, pairing: Pairing, bounds: su_f1.Bounds) -> Estimates:
    """Safety, utility and SU-F1 of one pairing, where the arm has finished both of its benchmarks."""
    seeds = answers.seeds(arm, *pairing)
    if not seeds:
        return {}
    harmful, benign = (
        su_f1.Scores(
            _scores(answers, arm, benchmark, seeds, "refusal_rate"), _scores(answers, arm, benchmark, seeds, "entropy")
        )
        for benchmark in pairing
    )
    estimates = su_f1.estimate(harmful, benign, bounds)
    return {(arm, f"{pairing.name}/{name}"): value for name, value in estimates._asdict().items()}


def _scores(
    answers: Answers, arm: str, benchmark: str, seeds: Sequence[int], metric: str
) -> "Float[np.ndarray, 'seed prompt']":
    score = METRICS[metric].score
    rows = [[score(exchange).value for exchange in answers.cells[Cell(arm, seed, benchmark)]] for seed in seeds]
    return np.array(rows, dtype=float)  # None becomes NaN


def _arm(folder: RunFolder, described: Mapping[str, Any], answers: Answers) -> Arm:
    name = described["name"]
    fits = {seed: facts for seed in described["seeds"] if (facts := read_facts(folder.artefact(name, seed)))}
    diagnostics = {f"seed-{seed}": facts["diagnostics"] for seed, facts in fits.items() if facts["diagnostics"]}
    failure = folder.failure(name)
    return Arm(
        name=name,
        method=described["method"],
        paper=described["paper"],
        fidelity=described["fidelity"],
        deviations=tuple(described["deviations"]),
        settings=described["settings"],
        cost=_cost([facts["cost"] for facts in fits.values()]) | _speed(name, answers),
        diagnostics=next(iter(diagnostics.values())) if len(described["seeds"]) == 1 and diagnostics else diagnostics,
        failure=failure.read_text(encoding="utf-8").partition("\n")[0] if failure.exists() else "",
    )


def _cost(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over seeds."""
    names = ("seconds", "forward_equivalents", "forward_equivalents_per_sample", "peak_bytes")
    return {name: fmean(cost.get(name, 0.0) for cost in costs) for name in names} if costs else {}


def _speed(arm: str, answers: Answers) -> dict[str, float]:
    spoken = {benchmark.name for benchmark in answers.benchmarks if benchmark.kind is Kind.GENERATION}
    replies = [
        exchange.reply
        for cell, exchanges in answers.cells.items()
        if cell.arm == arm and cell.benchmark in spoken
        for exchange in exchanges
    ]
    seconds = sum(reply.seconds for reply in replies)
    tokens = sum(len(reply.token_ids) for reply in replies)
    return {"tokens_per_second": tokens / seconds} if seconds else {}


def _samples(answers: Answers) -> list[Sample]:
    return [_sample(cell, exchange) for cell, exchanges in answers.cells.items() for exchange in exchanges]


def _sample(cell: Cell, exchange: Exchange) -> Sample:
    prompt, reply, judgement = exchange.prompt, exchange.reply, exchange.judgement
    attack = prompt.attack
    return Sample(
        benchmark=cell.benchmark,
        prompt_id=prompt.id,
        arm=cell.arm,
        seed=cell.seed,
        intent=prompt.intent,
        category=prompt.category,
        attack=f"{', '.join(attack.categories)}: {attack.template}" if attack else "",
        question=prompt.plain,
        prompt=_asked(prompt),
        reply=reply.text,
        verdict=judgement.verdict if judgement else _verdict(exchange),
        reason=judgement.reason if judgement else "",
        action=reply.action,
    )


def _asked(prompt: Prompt) -> str:
    if len(prompt.messages) == 1:
        return prompt.messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in prompt.messages)


def _verdict(exchange: Exchange) -> str:
    return "right" if METRICS["accuracy"].score(exchange).value == 1 else "wrong"


def _provenance(header: Mapping[str, Any]) -> dict[str, Any]:
    """Of the first process of a run, and when others went on with it."""
    resumed = [process["date"] for process in header["resumed"]]
    return {**header["provenance"], **({"resumed": resumed} if resumed else {})}
