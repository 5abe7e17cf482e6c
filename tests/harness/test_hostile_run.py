"""Every text of `tests.hostile` through the program: said by a model, kept on disk, reported, and printed in errors."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import registry as benchmark_registry
from benchmarks.base import Attack, Benchmark, Intent, Kind, Message, Prompt, Reply, Split
from benchmarks.errors import UserError
from harness import cli, findings
from harness import registry as harness_registry
from harness.comparison import compare
from harness.findings import Finding, Level
from harness.progress import Display
from harness.run_folder import RunFolder
from methods import registry as method_registry
from methods.base import GenerationSettings
from reports import markdown, terminal
from reports.foreign import UNSEEN
from tests.harness.fakes import FakeEngine, FakeModel, Prefix
from tests.hostile import HOSTILE, SHORT

Equipoise = Callable[..., int]


@dataclass
class HostileModel(FakeModel):
    """Says back what it is asked."""

    def _reply(self, prompt: Prompt, settings: GenerationSettings) -> Reply:  # noqa: ARG002 - as its base has it
        return Reply(prompt.id, HOSTILE[prompt.id], (1, 2, 3), action={"said": SHORT.get(prompt.id, "")})


def asked(text: str) -> str:
    """As a file of prompts could hold it: half a character is refused there."""
    return text.encode(errors="replace").decode()


def hostile_benchmark() -> Benchmark:
    """Every entry as a question, a category and a template."""
    prompts = tuple(
        Prompt(
            name,
            (Message("user", f"Say: {asked(text)}"),),
            Intent.HARMFUL,
            name,
            asked(text),
            "made",
            Split.TEST,
            category=asked(SHORT.get(name, "")),
            attack=Attack((asked(SHORT.get(name, "none")),), asked(SHORT.get(name, ""))),
        )
        for name, text in HOSTILE.items()
    )
    return Benchmark("hostile", "Hostile", Kind.GENERATION, Intent.HARMFUL, prompts, "made", "1", "CC0")


def obeyed(text: str) -> set[str]:
    """What a terminal acts on, newlines apart, and what cannot be seen or encoded."""
    controls = {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t"}
    return controls | set(UNSEEN.findall(text))


@pytest.fixture
def hostile_run(run_fakes: Equipoise, tmp_path: Path) -> Path:
    vars(harness_registry)["ENGINES"]["fake"] = lambda: FakeEngine(HostileModel())
    vars(benchmark_registry)["BENCHMARKS"]["hostile"] = hostile_benchmark
    assert run_fakes("--methods", "default", "--benchmarks", "hostile", "--batch-size", "64") == 0
    return tmp_path / "run"


def test_what_a_model_says_comes_back_from_the_disk_as_it_was_said(hostile_run: Path) -> None:
    comparison = compare(RunFolder(hostile_run), None, lambda _: None)
    said = {sample.prompt_id: sample for sample in comparison.samples if sample.arm == "default"}
    assert said.keys() == HOSTILE.keys()
    for name, text in HOSTILE.items():
        sample = said[name]
        assert (sample.reply, sample.question, sample.prompt) == (text, asked(text), f"Say: {asked(text)}")
        assert sample.category == asked(SHORT.get(name, ""))
    for render in (terminal.render, markdown.render):
        assert obeyed(render(comparison)) == set()


def test_a_run_and_its_report_print_nothing_that_a_terminal_obeys(
    hostile_run: Path, equipoise: Equipoise, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = (hostile_run / "replies/default/seed-0/hostile.jsonl").read_bytes().splitlines(keepends=True)
    (hostile_run / "replies/default/seed-0/hostile.jsonl").write_bytes(b"".join(lines[:-1]) + b"\x1b[2J torn\n")
    assert equipoise("report", str(hostile_run)) == 0
    told = capfd.readouterr()
    assert "is dropped" in told.err
    assert obeyed(told.out) == obeyed(told.err) == set()


@pytest.mark.parametrize("text", SHORT.values(), ids=SHORT)
def test_an_error_is_printed_without_what_a_terminal_obeys(
    text: str, monkeypatch: pytest.MonkeyPatch, equipoise: Equipoise, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise UserError(f"there is no method named '{text}'")

    monkeypatch.setattr(cli, "app", refuse)
    assert equipoise() == 2
    told = capfd.readouterr().err
    assert told.startswith("equipoise: there is no method named '")
    assert obeyed(told) == set()


def test_findings_of_the_doctor_stay_one_line_each() -> None:
    lines = [Finding(text, Level.WARNING, text) for text in SHORT.values()]
    told = findings.table(lines)
    assert len(told.splitlines()) == len(lines) + 2
    assert obeyed(told) == set() and "\t" not in told


def test_a_list_shows_what_a_plugin_says_of_itself_without_obeying_it(
    model: FakeModel, equipoise: Equipoise, capfd: pytest.CaptureFixture[str]
) -> None:
    del model
    for place, text in enumerate(SHORT.values()):
        told = text.encode(errors="replace").decode()  # no docstring can hold a surrogate
        kind = type("Hostile", (Prefix,), {"__doc__": f"x{told}", "name": f"hostile{place}", "paper": text})
        vars(method_registry)["METHODS"][f"hostile{place}"] = kind
    for flags in ((), ("--verbose",)):
        assert equipoise("list", "methods", *flags) == 0
        told = capfd.readouterr().out
        assert f"hostile{len(SHORT) - 1}" in told
        assert obeyed(told) == set()


def test_progress_lines_are_not_obeyed(capfd: pytest.CaptureFixture[str]) -> None:
    display = Display(is_interactive=False)
    with display.shown():
        for text in SHORT.values():
            display.note(text)
            with display.stage(text, 0, 2) as advance:
                advance(2)
            with display.fitting(text) as progress:
                progress(text, 1, 2)
    told = capfd.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 4 * len(SHORT)
    assert obeyed(told.err) == set()
