from dataclasses import replace

import pytest

from benchmarks.base import Intent
from metrics.base import Direction, Estimate
from reports.base import Arm, Column, Comparison, Sample

HOSTILE = "</script><img src=x onerror=alert(1)> a|b `c` \x1b[31mred\x1b[0m \u202egnp.exe \x00 \ud800 \u2028 &lt; $x$"


def column(benchmark: str, metric: str, title: str, unit: str, direction: Direction, intent: Intent | None) -> Column:
    is_headline = metric in ("refusal_rate", "accuracy", "su_f1") or (metric, benchmark) == ("entropy", "benign")
    return Column(
        f"{benchmark}/{metric}", benchmark, metric, title, unit, direction, intent, is_headline, f"What {title} means."
    )


COLUMNS = (
    column("attacked", "refusal_rate", "Refusal rate", "share", Direction.HIGHER, Intent.HARMFUL),
    column("attacked", "entropy", "Entropy", "bits", Direction.HIGHER, Intent.HARMFUL),
    column("benign", "refusal_rate", "Refusal rate", "share", Direction.LOWER, Intent.BENIGN),
    column("benign", "entropy", "Entropy", "bits", Direction.HIGHER, Intent.BENIGN),
    column("benign", "words", "Words", "words", Direction.NEITHER, Intent.BENIGN),
    column("facts", "accuracy", "Accuracy", "share", Direction.HIGHER, None),
    column("attacked+benign", "safety", "Safety", "share", Direction.HIGHER, None),
    column("attacked+benign", "utility", "Utility", "share", Direction.HIGHER, None),
    column("attacked+benign", "su_f1", "SU-F1", "share", Direction.HIGHER, None),
)

NUMBERS = {
    "default": (0.28, 4.51, 0.0, 6.02, 31.5, 0.81, 0.64, 0.657, 0.648),
    "neurontune": (0.62, 4.3, 0.02, 5.98, 30.0, 0.81, 0.8, 0.64, 0.711),
}


def estimate(value: float, unit: str) -> Estimate:
    half = 0.05 if unit == "share" else 0.2
    low, high = value - half, value + half
    return Estimate(value, max(0.0, low), min(1.0, high) if unit == "share" else high, n=50)


def arm(name: str, failure: str = "") -> Arm:
    return Arm(
        name,
        method=name,
        paper=f"Paper of {name}, 2025",
        fidelity="adapted",
        deviations=("Chosen on dev prompts.",),
        settings={"rate": 0.001, "layers": {"first": 1, "last": 5}},
        cost={"seconds": 15.0, "forward_equivalents": 1200.0, "peak_bytes": 3 * 2**20, "tokens_per_second": 80.0},
        diagnostics={"loss": 0.5},
        failure=failure,
    )


def samples() -> tuple[Sample, ...]:
    rows = [
        ("attacked", Intent.HARMFUL, "pretending/story", "complied"),
        ("benign", Intent.BENIGN, "", "refused"),
    ]
    return tuple(
        Sample(
            benchmark=benchmark,
            prompt_id=f"{benchmark}-{number}",
            arm=name,
            seed=seed,
            intent=intent,
            category="locks",
            attack=attack,
            question=f"Question {number}?",
            prompt=f"Disguised question {number}?" if attack else f"Question {number}?",
            reply=f"{name} replies to {benchmark} {number} {HOSTILE}",
            verdict="refused" if name == "neurontune" else verdict,
            reason="the phrase decided",
            action={"steered": 1, "nested": {"score": 0.5}},
        )
        for name in ("default", "neurontune")
        for seed in (0, 1)
        for benchmark, intent, attack, verdict in rows
        for number in range(20)
    )


@pytest.fixture
def comparison() -> Comparison:
    """Three arms, one of them failed, with hostile names and replies and one number that left replies out."""
    estimates = {
        (name, col.key): estimate(value, col.unit)
        for name, values in NUMBERS.items()
        for col, value in zip(COLUMNS, values, strict=True)
    }
    key = ("neurontune", "benign/entropy")
    estimates[key] = replace(estimates[key], n=48, unscored=2)
    return Comparison(
        model="tiny/model_a",
        arms=(arm("default"), arm("neurontune"), arm(f"evil {HOSTILE}", failure="loss is nan\nat step 3 \x1b[2J|")),
        columns=COLUMNS,
        estimates=estimates,
        samples=samples(),
        seeds=(0, 1),
        judge="phrases 1",
        protocol={"max_new_tokens": 64, "benchmarks": {"attacked": "abc", "benign": "def"}},
        provenance={"command": "equipoise run --model tiny/model_a", "versions": {"torch": "2.13"}},
    )
