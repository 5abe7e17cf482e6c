import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import ledger
from tests.harness.fakes import FakeModel

Run = Callable[..., int]
ROOT = Path(__file__).parents[2]


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["list", "methods", "--verbose"], ["list", "metrics"], ["list", "engines"]],
)
def test_help_and_lists_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom harness.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'transformers', 'pandas', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    out, err = python(script, *arguments).communicate(timeout=30)
    assert out.splitlines()[-1] == "[]", err


def test_python_m_harness_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "harness", "list", "judges"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "\ngrammar " in done.stdout


@pytest.mark.parametrize("flag", ["--max-new-tokens", "--max_new_tokens"])
def test_flags_take_hyphens_and_underscores(flag: str, run_fakes: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_fakes(flag, "0") == 2
    assert capfd.readouterr().err == "equipoise: max new tokens is '0'; it must be a whole number from 1.\n"


def test_a_dry_run_tells_the_plan_and_does_nothing(
    run_fakes: Run, tmp_path: Path, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ["--methods", "p=prefix[strength=2]", "--seed", "0", "--seed", "1", "--limit", "4"]
    assert run_fakes(*flags, "--dry-run") == 0
    assert capfd.readouterr().out == (
        "model       fake on engine fake\n"
        "data        fakes: 1 train and 1 dev prompts\n"
        "judge       keyword\n"
        "arm         default: seed 0\n"
        "arm         p (prefix): seeds 0, 1\n"
        "benchmark   bad: 4 of 10 prompts\n"
        "benchmark   good: 4 of 6 prompts\n"
        "benchmark   facts: 4 of 4 prompts\n"
        "cells       9: 3 fits, each with 3 benchmarks\n"
        "fits        3 to make, 0 of 3 already there\n"
        "replies     36 to make, 0 of 36 already there\n"
        "tokens      about 283 of prompts (characters / 4, without the chat template), at most 12,288 of replies\n"
        f"time        unknown: no run of this model with replies of this length lies in '{tmp_path}'\n"
        f"output      {tmp_path}/run\n"
    )
    assert not (tmp_path / "run").exists()
    model.dies_at_call = 3
    assert run_fakes(*flags) == 130
    assert run_fakes(*flags, "--dry-run") == 0
    assert "replies     24 to make, 12 of 36 already there" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--methods", "prefx"], "No method named 'prefx'. Did you mean 'prefix'? Available: "),
        (["--methods", "prefix[strenth=1]"], "No setting of 'prefix' named 'strenth'. Did you mean 'strength'? "),
        (["--methods", "prefix[strength=10]"], "Setting 'strength' of 'prefix' is 10; "),
        (["--methods", "broken[a=1]"], "'broken' has no settings, so 'a' cannot be set."),
        (["--benchmarks", "bad,god"], "No benchmark named 'god'. Did you mean 'good'? Available: "),
        (["--judge", "keywords"], "No judge named 'keywords'. Did you mean 'keyword'? Available: "),
        (["--engine", "fak"], "No engine named 'fak'. Did you mean 'fake'? Available: "),
        (["--data", "fake"], "No alignment data named 'fake'. Did you mean 'fakes'? Available: "),
        (["--benchmarks", "empty"], "Benchmark 'empty' has no prompts. Leave it out of --benchmarks."),
        (
            ["--limit", "0"],
            "--limit 0 leaves no prompt of 'bad' (10 there). Give a whole number from 1, or a share between 0 and 1.",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(
    flags: list[str], message: str, run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes(*flags) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"equipoise: {message}")
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_prompts_that_share_an_id_are_refused(run_fakes: Run, capfd: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from benchmarks.registry import BENCHMARKS

    bad = BENCHMARKS["bad"]()
    doubled = replace(bad, prompts=(*bad.prompts, bad.prompts[2]))
    vars(sys.modules["benchmarks.registry"])["BENCHMARKS"]["bad"] = lambda: doubled  # taken out with the fakes
    assert run_fakes() == 2
    expected = "equipoise: Benchmark 'bad' has 2 prompts with the id 'harmful-2'; ids must be unique.\n"
    assert capfd.readouterr().err == expected


def test_an_unknown_flag_or_list_gets_the_nearest(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("run", "--bath-size", "3") == 2
    assert "--batch-size" in capfd.readouterr().err
    assert equipoise("list", "method") == 2
    assert capfd.readouterr().err == (
        "equipoise: No list named 'method'. Did you mean 'methods'? "
        "Available: benchmarks, engines, judges, methods, metrics, models, studies.\n"
    )


def test_a_list_shows_settings_with_range_and_source(
    equipoise: Run, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    del model
    assert equipoise("list", "methods", "--verbose") == 0
    lines = capfd.readouterr().out.splitlines()
    place = lines.index("    strength = 1 (from 0 to 9)")
    assert lines[place + 1] == "        How often the prefix is said. Source: our choice."


@pytest.mark.parametrize("kind", ["methods", "metrics", "benchmarks", "judges", "engines", "models"])
def test_every_list_is_longer_when_verbose(kind: str, equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("list", kind) == 0
    brief = capfd.readouterr().out
    assert equipoise("list", kind, "--verbose") == 0
    assert len(capfd.readouterr().out) > len(brief)


@pytest.mark.parametrize(
    ("found", "state"), [(None, 'not installed: pip install -e ".[vllm]"'), (SimpleNamespace(), "installed")]
)
def test_engines_are_listed_with_what_to_install(
    found: object,
    state: str,
    equipoise: Run,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("harness.listing.find_spec", lambda _: found)
    assert equipoise("list", "engines") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == ("transformers  Any decoder checkpoint with a chat template, for every method (installed).")
    assert lines[1] == (
        "vllm          Replies at the speed of vLLM; arms that edit weights are folded in, the others act by hooks "
        f"({state})."
    )


def test_an_engine_tells_what_it_offers(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("list", "engines", "--verbose") == 0
    assert "\n    offers activations, gradients, weights, neurons, gradients while serving\n" in capfd.readouterr().out


def test_the_run_ends_with_the_leaderboard_and_the_pages(
    run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--benchmarks", "bad,good") == 0
    captured = capfd.readouterr()
    lines = captured.out.splitlines()
    assert lines[-2:] == [f"{tmp_path}/run/report/report.md", f"{tmp_path}/run/report/report.html"]
    assert "Model fake, judge keyword" in lines[0]
    assert len(captured.err.splitlines()) == 13
    assert captured.err.splitlines()[0].startswith("default, seed 0: fitted in ")
    assert captured.err.splitlines()[1].startswith("default, seed 0, bad: 10 of 10 in ")
    assert captured.err.splitlines()[6].startswith("prefix, seed 0: learning, 1 of 2 in ")


def test_a_report_is_made_without_torch(run_fakes: Run, tmp_path: Path) -> None:
    assert run_fakes() == 0
    page = tmp_path / "run/report/report.html"
    page.unlink()
    script = "import sys\nfrom harness.cli import main\ntry: main()\nexcept SystemExit: print('torch' in sys.modules)"
    out, err = python(script, "report", str(tmp_path / "run")).communicate(timeout=30)
    assert out.splitlines()[-1] == "False", err
    assert page.read_text().lower().startswith("<!doctype html>")


def test_flags_win_over_a_run_file(run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("limit: 2\nseeds: [7, 8]\n")
    assert run_fakes("--config", str(path), "--seed", "9", "--dry-run") == 0
    out = capfd.readouterr().out
    assert "arm         prefix: seed 9\n" in out
    assert "benchmark   bad: 2 of 10 prompts\n" in out


def test_a_killed_run_goes_on_where_it_was(run_fakes: Run, tmp_path: Path, model: FakeModel) -> None:
    script = (
        "from tests.harness.fakes import FakeModel, install\nfrom harness.cli import main\n"
        "install(FakeModel(seconds=0.2))\nmain()"
    )
    flags = ["--methods", "default", "--benchmarks", "bad,good", "--batch-size", "2", "--output", str(tmp_path / "run")]
    standard = ["--model", "fake", "--engine", "fake", "--data", "fakes", "--judge", "keyword"]
    process = python(script, "run", *standard, *flags)
    path = tmp_path / "run/replies/default/seed-0/bad.jsonl"
    deadline = time.monotonic() + 30
    while len(ledger.read(path).records) < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finished = set(ledger.read(path).records)
    assert 4 <= len(finished) < 10
    assert run_fakes(*flags) == 0
    answered = {name for batch in model.batches for name in batch}
    assert not answered & finished
    assert len(answered) == 16 - len(finished)
    assert run_fakes(*flags[:-1], str(tmp_path / "whole")) == 0
    assert (tmp_path / "run/results.json").read_bytes() == (tmp_path / "whole/results.json").read_bytes()
