"""Made runs for a leaderboard: arms of a known order, on other days, under other protocols."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.harness.made_runs import MadeArm, asked, make_run

HARMFUL, BENIGN = "advbench_456", "alpaca_100"
BENCHMARKS = (asked(HARMFUL, 40), asked(BENIGN, 40))


def arm(label: str, refused: int, benign: int = 0, **settings: object) -> MadeArm:
    return MadeArm(label, label.partition("-")[0], {HARMFUL: refused, BENIGN: benign}, settings)


DEFAULT, GOOD, ALSO_GOOD, BAD = arm("default", 4), arm("good", 36), arm("also", 35), arm("bad", 20)
ARMS = (DEFAULT, BAD, GOOD, ALSO_GOOD)


def run(root: Path, arms: Sequence[MadeArm] = ARMS, day: int = 1, **protocol: object) -> Path:
    """A run of a day of January."""
    benchmarks = protocol.pop("asked", BENCHMARKS)
    assert isinstance(benchmarks, tuple)
    facts = protocol.pop("facts", None)
    make_run(root, arms, benchmarks, **protocol)
    header = json.loads((root / "run.json").read_text())
    header["protocol"]["model"] = facts or header["protocol"]["model"]
    for described in header["protocol"]["benchmarks"].values():
        described |= {"of": described["prompts"], "revision": "1"}
    header["provenance"] |= {"date": f"2026-01-{day:02}T10:00:00+00:00", "versions": {"equipoise": f"0.{day}"}}
    (root / "run.json").write_text(json.dumps(header))
    return root
