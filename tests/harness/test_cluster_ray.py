"""Whole commands on a Ray cluster of this machine's own, against the same commands in one process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import ledger
from tests.harness.interrupts import heed_interrupts

pytest.importorskip("ray", reason="ray is not installed; make test-ray has an environment of its own")

ROOT = Path(__file__).parents[2]
FAULTY = Path(__file__).parent / "faulty_plugins.py"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
BENCHMARKS = "embedded_attacked,embedded_benign,embedded_facts"
QUICK = ("--limit", "4", "--max-new-tokens", "6", "--batch-size", "2", "--benchmarks", BENCHMARKS)
SLOW = (
    "--limit",
    "24",
    "--max-new-tokens",
    "48",
    "--batch-size",
    "2",
    "--benchmarks",
    "embedded_attacked,embedded_facts",
)
RAY = ("--cluster", "ray", "--workers", "2")
SEEDED = (
    "nt=neurontune[safety_neurons=20,utility_neurons=20,utility_samples=1,local_samples=2,global_samples=4,epochs=1]"
)


def begin(folder: Path | str, *flags: str, cwd: Path = ROOT, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "run", *flags, "--output", str(folder)],
        cwd=cwd,
        env=ENVIRONMENT | variables,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )


def finished(process: "subprocess.Popen[str]", code: int = 0) -> list[str]:
    """What the command told, after it ended as expected."""
    _, told = process.communicate(timeout=300)
    assert process.returncode == code, told
    return told.splitlines()


def descendants(pid: int) -> dict[int, str]:
    """Command lines of all processes that this one started, by id."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended since
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: commands.get(child, "") for child in found - {pid}}


def busy_worker(process: "subprocess.Popen[str]", replies: Path) -> int:
    """A worker in the middle of a cell of the arm whose replies go there, as soon as some are written."""
    while not any(path.read_text() for path in replies.rglob("*.jsonl")):
        assert process.poll() is None, "the run ended before a worker could be killed"
        time.sleep(0.05)
    return next(pid for pid, command in descendants(process.pid).items() if command.startswith("ray::Worker.work"))


def results(folder: Path) -> bytes:
    return (folder / "results.json").read_bytes()


def test_two_workers_of_which_one_is_killed_give_the_results_of_one_process_to_the_byte(tmp_path: Path) -> None:
    flags = (*SLOW, "--methods", f"default,{SEEDED}", "--seed", "0,1")
    cluster = begin(tmp_path / "ray", *flags, *RAY)
    victim = busy_worker(cluster, tmp_path / "ray" / "replies")
    os.kill(victim, signal.SIGKILL)
    told = finished(cluster)
    lost = [line for line in told if line.startswith("warning: a worker was lost over '")]
    assert len(lost) == 1, told
    assert lost[0].endswith("'; another goes on where it stopped.")
    finished(begin(tmp_path / "one", *flags))
    assert results(tmp_path / "ray") == results(tmp_path / "one")
    for path in (tmp_path / "ray" / "replies").rglob("*.jsonl"):
        assert ledger.read(path).is_tidy
        assert len(path.read_text().splitlines()) == 24


def test_workers_that_share_nothing_but_a_url_give_the_results_of_one_process_though_one_is_killed(
    tmp_path: Path,
) -> None:
    flags = (*SLOW, "--methods", f"default,{SEEDED}")
    store, mirrors = tmp_path / "store/run", tmp_path / "mirrors"
    variables = {"EQUIPOISE_MIRRORS": str(mirrors), "EQUIPOISE_PUSH_SECONDS": "0.2"}
    cluster = begin(f"file://{store}", *flags, *RAY, **variables)
    os.kill(busy_worker(cluster, store / "replies"), signal.SIGKILL)
    pushed = [line for path in (store / "replies").rglob("*.jsonl") for line in path.read_text().splitlines()]
    told = finished(cluster)
    assert len([line for line in told if line.startswith("warning: a worker was lost over '")]) == 1, told
    finished(begin(tmp_path / "one", *flags))
    assert results(store) == results(tmp_path / "one")
    whole = [line for path in (store / "replies").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert set(pushed) <= set(whole)
    assert len(whole) == 2 * 2 * 24
    own = sorted(mirrors.glob("*.worker-*"))
    assert len(own) == 3  # of the two that ended and the one that was killed
    assert sum(any(path.rglob("replies/**/*.jsonl")) for path in own) >= 2  # the last may have come too late for a cell
    assert not (store / ".lock").exists()


def test_broken_arms_and_arms_of_a_file_end_as_in_one_process(tmp_path: Path) -> None:
    shutil.copy(FAULTY, tmp_path / "mine.py")  # found by workers, too, though the path is relative
    names = ("Good", "NanInTheFit", "ChecksBadly", "LeaksWhileFitting", "LeaksAHook", "LearnsWhileAnswering", "Quits")
    flags = (*QUICK, "--methods", ",".join(f"mine.py:{name}" for name in names))
    told = finished(begin(tmp_path / "ray", *flags, *RAY, cwd=tmp_path), code=1)
    finished(begin(tmp_path / "one", *flags, cwd=tmp_path), code=1)
    assert results(tmp_path / "ray") == results(tmp_path / "one")
    assert [line for line in told if line.startswith("error: Quits")] == [
        f"error: Quits failed: SystemExit: 3. The traceback is in {tmp_path}/ray/failures/Quits.txt."
    ]
    for kind in ("artefacts", "replies", "scores"):
        assert not (tmp_path / "ray" / kind / "LearnsWhileAnswering" / "seed-0").exists()


def test_an_arm_that_kills_its_workers_breaks_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\nfrom methods.default import Default\n\n\nclass Deadly(Default):\n    name = 'deadly'\n\n"
        "    def fit(self, model, data, seed, progress):\n        os._exit(1)\n"
    )
    told = finished(begin(tmp_path / "run", *QUICK, *RAY, "--methods", f"{tmp_path}/mine.py:Deadly"), code=1)
    reason = "WorkerLost: 3 workers were lost over 'Deadly, seed 0, its fit', for want of memory perhaps."
    assert (
        told.count("warning: a worker was lost over 'Deadly, seed 0, its fit'; another goes on where it stopped.") == 2
    )
    assert (tmp_path / "run" / "results.json").exists(), told
    arms = {arm["name"]: arm["failure"] for arm in json.loads(results(tmp_path / "run"))["arms"]}
    assert arms == {"default": None, "Deadly": reason}


def test_an_interrupted_run_leaves_no_worker_behind_and_is_gone_on_with_in_one_process(tmp_path: Path) -> None:
    flags = (*SLOW, "--methods", "default")
    cluster = begin(tmp_path / "run", *flags, *RAY)
    busy_worker(cluster, tmp_path / "run" / "replies")
    started = descendants(cluster.pid)
    cluster.send_signal(signal.SIGINT)
    assert finished(cluster, code=130)[-1].startswith("Stopped. Finished replies are kept")
    deadline = time.monotonic() + 20
    while (left := [pid for pid in started if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, {pid: started[pid] for pid in left}
    finished(begin(tmp_path / "run", *flags))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--gpus-per-cell", "64"),
            "equipoise: No machine of the cluster has a core and 64 GPUs for a worker (0 GPUs in all). "
            "Give fewer --gpus-per-cell.",
        ),
        (("--cluster-address", "127.0.0.1:1"), "equipoise: No Ray cluster at '127.0.0.1:1': [Errno 111]"),
        (("--methods", "mine.py:Picky"), "equipoise: 'picky' wants another model."),
    ],
)
def test_a_mistake_is_one_line_as_in_one_process(flags: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from benchmarks.errors import UserError\nfrom methods.default import Default\n\n\n"
        "class Picky(Default):\n    name = 'picky'\n\n    def check(self, model, data):\n"
        "        raise UserError(\"'picky' wants another model.\")\n"
    )
    told = finished(begin(tmp_path / "run", *QUICK, *RAY, "--methods", "default", *flags, cwd=tmp_path), code=2)
    assert told[-1].startswith(message)
    assert not (tmp_path / "run" / "run.json").exists()
