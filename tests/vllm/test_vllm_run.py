"""A whole run with `--engine vllm`, as typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.vllm

ROOT = Path(__file__).parents[2]


def test_a_run_serves_folded_and_hooked_arms_and_reports_parity(tmp_path: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed; make test-vllm installs it")
    arms = "default,dinm[instances=2,steps=3],scans[anchors=4]"
    flags = ["--engine", "vllm[max_model_len=512]", "--methods", arms, "--limit", "6", "--max-new-tokens", "24"]
    sets = ["--benchmarks", "embedded_attacked,embedded_benign,embedded_facts", "--output", str(tmp_path / "run")]
    command = [sys.executable, "-m", "harness", "run", *flags, *sets]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    header = json.loads((tmp_path / "run" / "run.json").read_text())
    assert header["protocol"]["model"]["engine"] == "vllm[max_model_len=512]"
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    for arm in results["arms"]:
        assert arm["diagnostics"]["parity_with_transformers"] == {"replies": 12, "identical": 12}, arm["name"]
    assert "parity_with_transformers.identical" in (tmp_path / "run" / "report" / "report.html").read_text()
