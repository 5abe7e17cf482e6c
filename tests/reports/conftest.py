import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from benchmarks.base import Intent, Json
from metrics.base import Difference, Direction, Effect, Estimate, KnownError, Verdict
from reports.base import Arm, Column, Comparison, Mark, Sample, SecondOpinion

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


def difference(col: Column, value: float, p_adjusted: float) -> Difference:
    half = 0.04 if col.unit == "share" else 0.3
    is_exact = col.metric in ("refusal_rate", "accuracy")
    test, discordant = ("mid-p McNemar", 17) if is_exact else ("paired bootstrap", None)
    return Difference(
        value,
        value - half,
        value + half,
        p_adjusted / 2,
        p_adjusted,
        48,
        test,
        discordant,
        unpaired=2,
        p_exact=p_adjusted if is_exact else None,
        effect=None if "+" in col.benchmark else Effect("Cohen's h" if is_exact else "Hedges' g", 2 * value),
    )


DEFAULTS: Mapping[str, Json] = {
    "rate": 0.001,
    "layers": {"first": 0, "last": 5},
    "edit_fraction": 0.3,
    "strength": 0.1,
    "safety_neurons": 50.0,
    "pinpointing": "attribution",
}


def card(*settings: str) -> Mapping[str, Json]:
    """What the harness tells of a method with these settings."""
    return {
        "summary": "Scales a few <b>neurons</b>.",
        "needs": ["activations", "gradients"],
        "settings": [
            {
                "name": name,
                "default": DEFAULTS[name],
                "unit": "per step",
                "allowed": "at least 0",
                "meaning": "Size of a step.",
                "source": "section 3 | table 1",
            }
            for name in settings
        ],
    }


TUNING: Mapping[str, Json] = {
    "objective": "su_f1",
    "value": 0.781,
    "low": 0.75,
    "high": 0.81,
    "default_value": 0.654,
    "trials": 20,
    "failed": 1,
    "forward_equivalents": 1234.4,
    "searched": ["rate"],
    "data": "embedded",
    "dev_prompts": 240,
}


DIAGNOSTICS: Mapping[str, Json] = {
    "seed-0": {
        "safety_neurons_by_layer": [1, 2, 7],
        "utility_neurons_by_layer": [6, 4, 0],
        "safety_contribution_by_layer": [0.1, 0.2, 0.3],
        "utility_contribution_by_layer": [0.3, 0.2, None],
        "validation_loss": [0.9, 0.5, 0.4],
    },
    "seed-1": {
        "safety_neurons_by_layer": [3, 2, 5],
        "utility_neurons_by_layer": [6, 3, 1],
        "safety_contribution_by_layer": [0.3, 0.2, 0.1],
        "utility_contribution_by_layer": [0.1, 0.2, 0.4],
        "validation_loss": [0.8, 0.6, 0.3],
    },
}


def arm(name: str, failure: str = "", method: str = "", settings: Mapping[str, Json] | None = None) -> Arm:
    used = settings or {"rate": 0.001, "layers": {"first": 1, "last": 5}}
    return Arm(
        name,
        method=method or name,
        paper=f"Paper of {name}, 2025",
        fidelity="adapted",
        deviations=("Chosen on dev prompts.",),
        settings=used,
        cost={"seconds": 15.0, "forward_equivalents": 1200.0, "peak_bytes": 3 * 2**20, "tokens_per_second": 80.0},
        diagnostics=DIAGNOSTICS if name == "neurontune" else {"loss": 0.5},
        failure=failure,
        card=card(*(known for known in used if known in DEFAULTS)),
        tuning=TUNING if name == "neurontune" else {},
    )


EVIL = replace(arm(f"evil {HOSTILE}", failure="loss is nan\nat step 3 \x1b[2J|"), card={})  # as in version 0.1


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
            category="locks" if number % 2 else "privacy",
            attack=attack,
            question=f"Question {number}?",
            prompt=f"Disguised question {number}?" if attack else f"Question {number}?",
            reply=f"{name} replies to {benchmark} {number} {HOSTILE}",
            verdict="refused" if name == "neurontune" else verdict,
            reason="the phrase decided",
            action={"steered": 1, "nested": {"score": 0.5}},
            tokens=10 + number,
            entropy=3.0 + number / 10,
            strategies=("pretending",) if attack else (),
            template="story" if attack else "",
        )
        for name in ("default", "neurontune")
        for seed in (0, 1)
        for benchmark, intent, attack, verdict in rows
        for number in range(20)
    )


OPINION = SecondOpinion(
    "linear 1",
    Estimate(0.9, 0.85, 0.94, 160),
    Estimate(0.78, 0.7, 0.86, 160),
    {
        (Verdict.REFUSED, Verdict.REFUSED): 70,
        (Verdict.REFUSED, Verdict.COMPLIED): 10,
        (Verdict.COMPLIED, Verdict.COMPLIED): 74,
        (Verdict.COMPLIED, Verdict.UNSURE): 6,
    },
    of=1600,
)


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Three arms, one failed, with hostile names and replies, one number that left replies out, two clear gains.

    The judge has a known error, by which one rate can be corrected.
    """
    estimates = {
        (name, col.key): estimate(value, col.unit)
        for name, values in NUMBERS.items()
        for col, value in zip(COLUMNS, values, strict=True)
    }
    key = ("neurontune", "benign/entropy")
    estimates[key] = replace(estimates[key], n=48, unscored=2)
    p_values = (0.0002, 0.4, 1.0, 0.06, 0.3, 1.0, 0.001, 0.5, 0.02)
    differences = {
        ("neurontune", col.key): difference(col, after - before, p_value)
        for col, before, after, p_value in zip(
            COLUMNS, NUMBERS["default"], NUMBERS["neurontune"], p_values, strict=True
        )
    }
    return Comparison(
        model="tiny/model_a",
        differences=differences,
        arms=(arm("default"), arm("neurontune"), EVIL),
        columns=COLUMNS,
        estimates=estimates,
        samples=samples(),
        known_error=KnownError(0.9, 0.95, 120, 200, "labels of 2024"),
        corrected={("neurontune", "attacked/refusal_rate"): Estimate(0.671, 0.502, 0.833, 50)},
        marks={("neurontune", "attacked/refusal_rate"): Mark.BEST, ("default", "attacked/refusal_rate"): Mark.SECOND},
        second_opinions=(OPINION,),
        seeds=(0, 1),
        judge="phrases 1",
        protocol={"max_new_tokens": 64, "benchmarks": {"attacked": "abc", "benign": "def"}},
        provenance={"command": "equipoise run --model tiny/model_a", "versions": {"torch": "2.13"}},
    )


def dose(method: str, setting: str, values: tuple[float, ...], **others: Json) -> list[Arm]:
    return [
        arm(f"{method}-{setting}-{value:g}", method=method, settings={setting: value, **others}) for value in values
    ]


@pytest.fixture(scope="session")
def many_arms(comparison: Comparison) -> Comparison:
    """28 arms of eight methods, most of them doses of one setting, so that names and marks lie close together."""
    arms = [
        comparison.arms[0],
        *dose("dinm", "edit_fraction", (0.01, 0.05, 0.1, 0.3, 1.0), rate=0.001),
        *dose("dinm", "rate", (0.0003, 0.003, 0.01), edit_fraction=1.0),
        *dose("scans", "strength", (0.1, 0.2, 0.3, 0.6)),
        *dose("neurontune", "safety_neurons", (10.0, 50.0, 150.0, 500.0), pinpointing="attribution"),
        arm("random-neurons", method="neurontune", settings={"safety_neurons": 50.0, "pinpointing": "random"}),
        *dose("cavgan", "threshold", (0.3, 0.5, 0.7)),
        *dose("refusal_direction", "coefficient", (0.5, 1.0, 2.0)),
        *(
            arm(f"prompt-{place}", method="safety_prompt", settings={"placement": place})
            for place in ("system", "wrap", "suffix")
        ),
        arm("scans+neurontune", settings={"scans_strength": 0.1, "neurontune_safety_neurons": 50.0}),
    ]
    estimates, differences = {}, {}
    for place, one in enumerate(arms):
        for col, value, before in zip(COLUMNS, made_up(place), made_up(0), strict=True):
            estimates[one.name, col.key] = estimate(value, col.unit)
            if place:
                p_adjusted = 0.0004 if abs(value - before) > 0.05 else 0.4
                differences[one.name, col.key] = difference(col, value - before, p_adjusted)
    return replace(comparison, arms=tuple(arms), estimates=estimates, differences=differences, marks={})


def made_up(place: int) -> tuple[float, ...]:
    """Numbers of the arm at that place, one a column."""
    refused, benign, entropy = 0.3 + 0.6 * math.sin(place / 5) ** 2, 0.3 * (place % 6 / 6) ** 2, 5.9 - place % 5 / 5
    safe, useful = (refused + 1 - benign) / 2, (entropy + 3.5) / 2 / 6.5
    return refused, 4.5, benign, entropy, 30.0, 0.8, safe, useful, 2 * safe * useful / (safe + useful)
