"""From exchanges to a comparison: estimates, differences, and the facts about each arm."""

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.base import Benchmark, Kind, Prompt
from harness.answers import Answers, Note
from harness.columns import Pairing, metric_of, section_notes
from harness.evidence import Evidence, read_evidence
from harness.fitting import read_facts
from harness.leaders import leaders
from harness.parity import summary
from harness.plan import Cell
from harness.run_folder import RunFolder
from harness.safeedit import Protocol
from harness.scores import ScoreTable
from harness.second_opinions import second_opinions
from metrics import safeedit, su_f1
from metrics.base import Estimate, Exchange, KnownError, account_of
from metrics.estimation import effective_prompts
from metrics.registry import METRICS, all_metrics
from metrics.rogan_gladen import corrected
from reports.base import Arm, Column, Comparison, Sample

Estimates = dict[tuple[str, str], Estimate]
COSTS = (
    "seconds",
    "forward_equivalents",
    "forward_equivalents_per_sample",
    "peak_bytes",
    "extra_tokens_per_reply",
    "extra_passes_per_reply",
)


def compare(folder: RunFolder, judge_name: str | None, note: Note) -> Comparison:
    """Judge the replies of a run, estimate every number, and test every difference to the first arm.

    `judge_name` overrides the judge of the run's protocol.

    Raises:
        UserError: If this is no run folder, or there is no such judge.
    """
    evidence = read_evidence(folder, judge_name, note)
    for problem in all_metrics().problems:
        note(f"warning: {problem}")
    return compared(evidence)


def compared(evidence: Evidence) -> Comparison:
    """Every estimate of a judged run, and every difference to the first arm."""
    header, answers, table = evidence.header, evidence.answers, evidence.table
    estimates: Estimates = {}
    for name in evidence.arms:
        estimates |= _single(table, name, evidence.columns)
        for pairing in evidence.pairings:
            estimates |= _joint(table, name, pairing, evidence.bounds)
        for five in evidence.protocols:
            estimates |= _generalisation(table, name, five)
    keys, error = [column.key for column in evidence.columns], evidence.judge.known_error
    return Comparison(
        model=header["protocol"]["model"]["name"],
        arms=tuple(describe_arm(evidence.folder, described, answers) for described in header["arms"]),
        columns=evidence.columns,
        estimates=estimates,
        sections=section_notes(evidence.columns, evidence.protocols),
        differences=evidence.against(evidence.arms[0], evidence.arms[1:], keys),
        samples=tuple(_samples(answers, table)),
        seeds=tuple(header["protocol"]["seeds"]),
        judge=f"{evidence.judge.name} {evidence.judge.version}",
        judging=account_of(evidence.judge).facts,
        protocol=header["protocol"],
        provenance=_provenance(header, answers.benchmarks),
        known_error=error,
        corrected=_corrected(table, evidence.columns, estimates, error) if error else {},
        marks=leaders(evidence, {place: one.value for place, one in estimates.items() if one.value is not None}),
        second_opinions=second_opinions(answers, evidence.judge),
    )


def _single(table: ScoreTable, arm: str, columns: Sequence[Column]) -> Estimates:
    """Estimates of the columns that belong to one benchmark each."""
    found: Estimates = {}
    for column in columns:
        metric, scores = metric_of(column), table.of_column(arm, column)
        if metric is not None and scores is not None:
            found[arm, column.key] = metric.estimate(scores)
    return found


def _joint(table: ScoreTable, arm: str, pairing: Pairing, bounds: su_f1.Bounds) -> Estimates:
    """Safety, utility and SU-F1 of one pairing, where the arm has finished both of its benchmarks."""
    sides = table.of_pairing(arm, pairing)
    if sides is None:
        return {}
    estimates = su_f1.estimate(*sides, bounds)
    return {(arm, f"{pairing.name}/{name}"): value for name, value in estimates._asdict().items()}


def _generalisation(table: ScoreTable, arm: str, protocol: Protocol) -> Estimates:
    """The average of SafeEdit's four inputs, where the arm has finished all of them."""
    inputs = table.of_protocol(arm, protocol)
    return {} if inputs is None else {(arm, protocol.average_key): safeedit.average(inputs)}


def _corrected(table: ScoreTable, columns: Sequence[Column], estimates: Estimates, error: KnownError) -> Estimates:
    """Refusal rates as they would be without the judge's error."""
    benchmarks = {column.key: column.benchmark for column in columns if column.metric == "refusal_rate"}
    found: Estimates = {}
    for (arm, key), raw in estimates.items():
        scores = table.of_benchmark(arm, benchmarks[key], "refusal_rate") if key in benchmarks else None
        if scores is not None:
            found[arm, key] = corrected(raw, effective_prompts(scores), error)
    return found


def describe_arm(folder: RunFolder, described: Mapping[str, Any], answers: Answers) -> Arm:
    """What a page says of an arm besides its numbers."""
    name = described["name"]
    fits = {seed: facts for seed in described["seeds"] if (facts := read_facts(folder.artefact(name, seed)))}
    diagnostics = {f"seed-{seed}": facts["diagnostics"] for seed, facts in fits.items() if facts["diagnostics"]}
    told = next(iter(diagnostics.values())) if len(described["seeds"]) == 1 and diagnostics else diagnostics
    parity = summary(json.loads(path.read_bytes()) for path in sorted(folder.root.glob(f"parity/{name}/*/*.json")))
    failure = folder.failure(name)
    beside = {"parity_with_transformers": parity, "thoughts_cut_by_the_limit": _thoughts_cut(name, answers)}
    return Arm(
        name=name,
        method=described["method"],
        paper=described["paper"],
        fidelity=described["fidelity"],
        deviations=tuple(described["deviations"]),
        settings=described["settings"],
        cost=_cost([facts["cost"] for facts in fits.values()]) | _speed(name, answers),
        card=described.get("card") or {},  # runs of version 0.1 have neither card nor tuning
        tuning=described.get("tuning") or {},
        diagnostics={**told, **{fact: value for fact, value in beside.items() if value}},
        learns_from_prompts=described.get("learns_from_prompts", False),
        failure=failure.read_text(encoding="utf-8").partition("\n")[0] if failure.exists() else "",
    )


def _cost(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over seeds."""
    return {name: fmean(cost.get(name, 0.0) for cost in costs) for name in COSTS} if costs else {}


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


def _thoughts_cut(arm: str, answers: Answers) -> dict[str, int]:
    """How many replies to each benchmark say nothing, since the model was still thinking."""
    cut = {
        cell: sum(exchange.reply.is_cut_thought for exchange in exchanges)
        for cell, exchanges in answers.cells.items()
        if cell.arm == arm
    }
    return {f"{cell.benchmark}, seed {cell.seed}": count for cell, count in cut.items() if count}


def _samples(answers: Answers, table: ScoreTable) -> Iterator[Sample]:
    for cell, exchanges in answers.cells.items():
        for exchange, bits in zip(exchanges, table.of_cell(cell, "entropy"), strict=True):
            yield _sample(cell, exchange, float(bits))


def _sample(cell: Cell, exchange: Exchange, entropy: float) -> Sample:
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
        action={**reply.action, **({"thought_cut": True} if reply.is_cut_thought else {})},
        tokens=len(reply.token_ids),
        entropy=entropy if reply.option_log_probabilities is None else None,
        strategies=attack.categories if attack else (),
        template=attack.template if attack else "",
    )


def _asked(prompt: Prompt) -> str:
    if len(prompt.messages) == 1:
        return prompt.messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in prompt.messages)


def _verdict(exchange: Exchange) -> str:
    if exchange.prompt.choices is None:
        name = "task_score"
    else:
        name = "parsed_accuracy" if exchange.reply.option_log_probabilities is None else "accuracy"
    return "right" if METRICS[name].score(exchange).value == 1 else "wrong"


def _provenance(header: Mapping[str, Any], benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    """Of the first process of a run, and when others went on with it; and where the prompts are from."""
    resumed = [process["date"] for process in header["resumed"]]
    sources = {benchmark.name: f"{benchmark.source}; licence {benchmark.licence}" for benchmark in benchmarks}
    return {**header["provenance"], **({"resumed": resumed} if resumed else {}), "sources": sources}
