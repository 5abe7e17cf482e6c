"""`kill -9` in the middle of a run on the embedded model, then the same command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ARM = "neurontune"
SETTINGS = "safety_neurons=20,utility_neurons=20,utility_samples=1,local_samples=2,global_samples=4,epochs=1"


def command(folder: Path) -> list[str]:
    methods = f"default,{ARM}={ARM}[{SETTINGS}]"
    benchmarks = "embedded_attacked,embedded_benign,embedded_facts"
    return [
        *(sys.executable, "-m", "harness", "run", "--methods", methods, "--benchmarks", benchmarks),
        *("--limit", "24", "--batch-size", "4", "--max-new-tokens", "64", "--output", str(folder)),
    ]


def finish(folder: Path) -> str:
    """What it told."""
    done = subprocess.run(command(folder), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def replies(folder: Path) -> Path:
    return folder / "replies" / ARM / "seed-0" / "embedded_attacked.jsonl"


def kill_in_the_middle(folder: Path) -> list[str]:
    """Start the run, kill it when some of the second arm's replies are written, and say which."""
    with subprocess.Popen(command(folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not replies(folder).exists() or not replies(folder).read_text():
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    return replies(folder).read_text().splitlines()


def test_a_killed_run_ends_with_the_results_of_an_undisturbed_one_and_repeats_no_reply(tmp_path: Path) -> None:
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    before = kill_in_the_middle(killed)
    assert 0 < len(before) < 24
    artefact = killed / "artefacts" / ARM / "seed-0" / "tensors.safetensors"
    fitted_at = artefact.stat().st_mtime_ns
    told = finish(killed)
    assert re.search(
        r"^warning: the last start ended while answering 'embedded_attacked' as 'neurontune', seed 0 "
        r"\(it held \d\.\d of \d+\.\d GiB\): killed from outside, and not for memory as far as can be told\.$",
        told,
        flags=re.MULTILINE,
    )
    assert not list(killed.glob(".working-*"))
    assert "the last start" not in finish(undisturbed)
    assert (killed / "results.json").read_bytes() == (undisturbed / "results.json").read_bytes()
    assert artefact.stat().st_mtime_ns == fitted_at
    after = replies(killed).read_text().splitlines()
    assert after[: len(before)] == before
    asked = [json.loads(line)["prompt_id"] for line in after]
    assert len(asked) == len(set(asked)) == 24
