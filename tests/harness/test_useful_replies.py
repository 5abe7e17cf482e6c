# ruff: noqa: ANN401 - fakes take what real ones take and use little of it

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from benchmarks import registry as benchmark_registry
from benchmarks.base import AlignmentData, Attack, Intent, Message, Prompt, Reply, Split, StopReason
from harness import registry as harness_registry
from harness.cluster.worker import Worker
from harness.config import build_config
from harness.findings import Level
from harness.run_folder import RunFolder
from harness.useful_replies import as_if_completed
from harness.verify.command import verify
from methods import registry as method_registry
from methods.base import GenerationSettings
from tests.harness import fakes
from tests.harness.fakes import FakeEngine, FakeModel, Prefix

Run = Callable[..., int]


@dataclass
class Talker(FakeModel):
    """Says to a question what its number tells: an answer, a refusal, nothing, or more than it may."""

    def _reply(self, prompt: Prompt, settings: GenerationSettings) -> Reply:
        said = {
            "1": ("You do it so.", StopReason.END),
            "2": ("I'm sorry, I cannot help with that.", StopReason.END),
            "3": ("", StopReason.END),
            "4": ('First do this. Then, "do that." There are:\n1. And the', StopReason.LENGTH),
            "5": ("Without any end at", StopReason.LENGTH),
        }
        text, stop = said.get(prompt.id.removeprefix("benign-").partition("/")[0], ("Sure.", StopReason.END))
        return Reply(prompt.id, text, tuple(range(settings.max_new_tokens)), stop, seconds=0.5)


class Learner(Prefix):
    """Keeps what it was given to learn from."""

    name: ClassVar[str] = "learner"
    seen: ClassVar[list[AlignmentData]] = []

    def fit(self, model: Any, data: AlignmentData, seed: int, progress: Any) -> Any:
        self.seen.append(data)
        return super().fit(model, data, seed, progress)


def alignment() -> AlignmentData:
    plain = [fakes.prompt(number, Intent.BENIGN, Split.TRAIN) for number in range(1, 6)]
    attacked = [
        replace(
            one, id=f"{one.id}/trick", messages=(Message("user", f"Sing: {one.plain}"),), attack=Attack(("a",), "t")
        )
        for one in plain[:1]
    ]
    return AlignmentData("silent", (fakes.prompt(21, Intent.HARMFUL, Split.TRAIN), *plain, *attacked), ())


@pytest.fixture
def talker(model: FakeModel) -> FakeModel:
    """The model behind `--engine fake`; its fixture puts the tables back."""
    del model
    made = Talker()
    vars(harness_registry)["ENGINES"]["fake"] = lambda: FakeEngine(made)
    vars(method_registry)["METHODS"]["learner"] = Learner
    vars(benchmark_registry)["ALIGNMENT"]["silent"] = alignment
    Learner.seen.clear()
    return made


@pytest.fixture
def run(run_fakes: Run, talker: FakeModel) -> Run:
    del talker
    return lambda *more: run_fakes("--methods", "learner", "--data", "silent", "--benchmarks", "bad", *more)


def useful(prompts: Sequence[Prompt]) -> dict[str, str | None]:
    return {prompt.id.removeprefix("benign-"): prompt.references.useful for prompt in prompts}


NOTE = (
    "useful replies by the unmodified model: 2 of 5 benign questions that had none; "
    "3 stay without, where it refused, said nothing whole or was degenerate"
)


def test_methods_learn_from_what_the_unmodified_model_says_where_a_source_says_nothing(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    (data,) = Learner.seen
    assert useful(data.benign()) == {
        "1": "You do it so.",
        "1/trick": "You do it so.",
        "2": None,
        "3": None,
        "4": 'First do this. Then, "do that."',
        "5": None,
    }
    assert f"data: {NOTE}.\n" in capfd.readouterr().err
    told = json.loads((tmp_path / "run/run.json").read_text())["protocol"]["data"]
    assert told == {"name": "silent", "hash": data.content_hash, "notes": [NOTE]}


def test_each_question_is_asked_once_without_its_attack_and_of_harmful_ones_none(run: Run, talker: FakeModel) -> None:
    assert run() == 0
    asked = [name for batch in talker.batches for name in batch if name.startswith("benign")]
    assert sorted(asked) == [f"benign-{number}" for number in range(1, 6)]


def test_a_run_that_goes_on_learns_from_the_same_replies_and_makes_none_again(
    run: Run, talker: FakeModel, tmp_path: Path
) -> None:
    assert run() == 0
    talker.batches.clear()
    for left in (tmp_path / "run/artefacts").rglob("fit.json"):
        left.unlink()
    assert run() == 0
    assert Learner.seen[0] == Learner.seen[1]
    assert not talker.batches


def test_a_command_with_another_model_neither_takes_nor_spoils_them(
    run: Run, talker: FakeModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    (kept,) = (tmp_path / "run/useful_replies").iterdir()
    before = kept.read_bytes()
    talker.weight = 1
    assert run() == 2
    assert "made under another protocol" in capfd.readouterr().err
    assert kept.read_bytes() == before


def test_an_edited_reply_is_found_and_named(run: Run, tmp_path: Path) -> None:
    assert run() == 0
    (kept,) = (tmp_path / "run/useful_replies").iterdir()
    found = {line.subject: line for line in verify(RunFolder(tmp_path / "run"))}
    assert (found["useful replies"].level, found["useful replies"].text) == (Level.OK, "1 as they were written")
    kept.write_text(kept.read_text().replace("You do it so.", "You do it not."))
    problems = [line.text for line in verify(RunFolder(tmp_path / "run")) if line.level is Level.PROBLEM]
    assert len(problems) == 1
    assert problems[0].startswith(f"useful_replies/{kept.name}, line ")
    assert problems[0].endswith(": torn or edited")


def test_workers_take_the_replies_of_the_first_one(run: Run, talker: FakeModel, tmp_path: Path) -> None:
    del run
    flags = {"model": "fake", "engine": "fake", "data": "silent", "judge": "keyword", "benchmarks": "bad"}
    config = build_config({**flags, "methods": "learner", "output": tmp_path / "run"})
    protocols = [Worker(config, os.getcwd()).start().protocol for _ in range(2)]
    assert protocols[0] == protocols[1]
    assert protocols[0]["data"]["notes"] == [NOTE]
    assert len([name for batch in talker.batches for name in batch]) == 5


def test_data_that_have_all_replies_ask_the_model_nothing(run_fakes: Run, tmp_path: Path) -> None:
    assert run_fakes("--benchmarks", "bad") == 0
    assert not (tmp_path / "run/useful_replies").exists()
    told = json.loads((tmp_path / "run/run.json").read_text())["protocol"]["data"]
    assert told["notes"] == []


def test_a_look_before_the_run_counts_on_the_replies_that_the_model_will_give() -> None:
    looked = as_if_completed(alignment())
    benign = [prompt for prompt in looked.train if prompt.intent is Intent.BENIGN]
    assert benign and all(prompt.references.useful for prompt in benign)
    assert [prompt.id for prompt in looked.train] == [prompt.id for prompt in alignment().train]
