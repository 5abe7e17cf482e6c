"""A reply that is all thought, since the limit came first, is told: while it runs, on the report and beside itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.base import Intent, Prompt, Reply, StopReason
from harness.comparison import compare
from harness.run_folder import RunFolder
from methods.base import GenerationSettings
from tests.harness.fakes import FakeModel

Run = Callable[..., int]


@pytest.fixture
def thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Harmful questions make the model think beyond its limit."""
    said = FakeModel._reply

    def think(self: FakeModel, prompt: Prompt, settings: GenerationSettings) -> Reply:
        reply = said(self, prompt, settings)
        if prompt.intent is Intent.BENIGN:
            return reply
        return replace(reply, text="", raw="<think>Hm", stop=StopReason.LENGTH)

    monkeypatch.setattr(FakeModel, "_reply", think)


@pytest.mark.usefixtures("thinking")
def test_thoughts_cut_by_the_limit_are_told(run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_fakes("--methods", "default") == 0
    assert (
        "warning: default, seed 0 was still thinking at the limit in 10 of 10 replies to 'bad', which count as empty. "
        "Give a larger --max-new-tokens.\n"
    ) in capfd.readouterr().err
    comparison = compare(RunFolder(tmp_path / "run"), None, lambda _: None)
    assert comparison.arms[0].diagnostics["thoughts_cut_by_the_limit"] == {"bad, seed 0": 10}
    assert {sample.benchmark for sample in comparison.samples if sample.action.get("thought_cut")} == {"bad"}


def test_a_run_without_thoughts_has_none_to_tell(
    run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--methods", "default") == 0
    assert "thinking" not in capfd.readouterr().err
    assert "thoughts" not in str(compare(RunFolder(tmp_path / "run"), None, lambda _: None).arms[0].diagnostics)
