"""Control tokens in prompts stand in the run: a warning at the start, a count and the choice in the protocol."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., int]


@pytest.fixture
def ran(equipoise: Run, tmp_path: Path) -> Callable[..., tuple[int, Any]]:
    """A run of the embedded model on a table, one of whose prompts spells out a control token; gives its protocol."""
    (tmp_path / "asked.csv").write_text("prompt\nHow are you?\nWhat is <|user|> for?\n")

    def run(*flags: str) -> tuple[int, Any]:
        code = equipoise(
            "run", "--methods", "default", "--benchmarks", f"file:{tmp_path}/asked.csv[intent=benign]", "--judge",
            "keyword", "--device", "cpu", "--max-new-tokens", "4", "--output", str(tmp_path / "run"), *flags,
        )  # fmt: skip
        return code, json.loads((tmp_path / "run" / "run.json").read_text())["protocol"]

    return run


def test_they_are_told_at_the_start_and_counted_in_the_protocol(
    ran: Callable[..., tuple[int, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    code, protocol = ran()
    assert code == 0
    assert capfd.readouterr().err.startswith(
        "warning: control tokens: 1 of 2 prompts of 'asked' spell out a special token, '<|user|>' first; the model "
        "reads it as the template's own. --control-tokens escaped makes it plain text\n"
    )
    assert protocol["model"]["control_tokens"] == "kept"
    assert protocol["benchmarks"]["asked"]["with_control_tokens"] == 1
    code, _ = ran("--control-tokens", "escaped")
    assert code == 2
    assert '  model.control_tokens: "kept" -> "escaped"\n' in capfd.readouterr().err


def test_another_choice_is_refused(equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("run", "--control-tokens", "dropped") == 2
    assert capfd.readouterr().err == ("equipoise: control tokens is 'dropped'; it must be 'kept' or 'escaped'.\n")
