import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.errors import UserError
from harness.plan import PlannedArm, check_model
from methods.base import Requirements
from methods.default import Default, DefaultSettings
from metrics.registry import all_metrics
from tests.harness.fakes import FakeModel

Run = Callable[..., int]
OUTSIDE = """
from dataclasses import replace

from benchmarks.base import Benchmark, Intent, Kind
from metrics.judges.keyword import KeywordJudge
from tests.harness.fakes import FakeEngine, FakeModel, benchmark


class Strict(KeywordJudge):
    name = "strict"
    version = "7"


def mine():
    return benchmark("mine", Intent.HARMFUL, 3)


def engine():
    return FakeEngine(FakeModel(prefix="Hm. "), "hesitant")


def halfway():
    return object()


def broken():
    raise OSError("no driver")
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside.py"
    path.write_text(OUTSIDE)
    return path


def test_benchmarks_judges_and_engines_come_from_files_too(run_fakes: Run, outside: Path, tmp_path: Path) -> None:
    flags = ["--benchmarks", f"{outside}:mine,good", "--judge", f"{outside}:Strict", "--engine", f"{outside}:engine"]
    assert run_fakes("--methods", "default", *flags) == 0
    lines = (tmp_path / "run/replies/default/seed-0/mine.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"][:4] for line in lines] == ["Hm. "] * 3
    assert json.loads((tmp_path / "run/results.json").read_text())["judge"] == "strict 7"


@pytest.mark.parametrize(
    ("flag", "name", "message"),
    [
        ("--engine", "halfway", "Engine '{path}:halfway' cannot be used: it lacks 'name', 'offers', 'load'."),
        ("--engine", "broken", "Engine '{path}:broken' failed while it was made: OSError: no driver."),
        ("--judge", "broken", "Judge '{path}:broken' failed while it was made: OSError: no driver."),
        ("--benchmarks", "halfway", "Benchmark '{path}:halfway' cannot be used: it gave object, not a Benchmark."),
        ("--judge", "Stict", "Judge '{path}:Stict' cannot be used: the file has no 'Stict', only "),
    ],
)
def test_what_all_arms_share_must_be_usable_before_any_work(
    flag: str,
    name: str,
    message: str,
    run_fakes: Run,
    outside: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run_fakes(flag, f"{outside}:{name}") == 2
    told = capfd.readouterr().err
    assert told.startswith(f"equipoise: {message.format(path=outside)}")
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_two_benchmarks_of_one_name_are_refused(
    run_fakes: Run, outside: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    twice = outside.with_name("twice.py")
    twice.write_text(OUTSIDE)
    assert run_fakes("--benchmarks", f"{outside}:mine,{twice}:mine", "--dry-run") == 2
    expected = "equipoise: 2 benchmarks are named 'mine'; give each that you wrote a name of its own.\n"
    assert capfd.readouterr().err.endswith(expected)


class Needy(Default):
    """Needs what the test says."""

    name = "needy"


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (
            Requirements(neurons=True),
            "Method 'needy' needs neurons, which model 'tiny' does not offer, being a mixture of experts. "
            "Use a dense model, or leave the method out.",
        ),
        (
            Requirements(weights=True, base_checkpoint=True),
            "Method 'needy' needs weights and base checkpoint, which model 'tiny' does not offer. "
            "Use another model, or leave the method out.",
        ),
    ],
)
def test_a_model_that_lacks_what_its_engine_has_is_named(
    needs: Requirements, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Needy, "needs", needs)
    arm = PlannedArm("needy", Needy(DefaultSettings()), (0,))
    check_model([arm], FakeModel("tiny", Requirements(True, True, True, True, True)))
    with pytest.raises(UserError) as told:
        check_model([arm], FakeModel("tiny", Requirements(activations=True, gradients=True)))
    assert str(told.value) == message


METRICS = """
from benchmarks.base import Kind
from metrics import estimation
from metrics.base import Direction, Metric, Score

polite = Metric(
    "polite", "Polite", "share", Kind.GENERATION, lambda _: Direction.HIGHER,
    lambda exchange: Score(float("sorry" in exchange.reply.text)), estimation.rate, "Share of replies that say sorry.",
)
rude = 3
"""


def test_an_installed_metric_is_a_column_and_a_broken_one_a_warning(
    run_fakes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "site/manners-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: manners\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[equipoise.metrics]\npolite = manners:polite\nrude = manners:rude\nwords = manners:polite\n"
    )
    (tmp_path / "site/manners.py").write_text(METRICS)
    monkeypatch.syspath_prepend(tmp_path / "site")
    all_metrics.cache_clear()
    try:
        assert run_fakes("--methods", "default") == 0
    finally:
        all_metrics.cache_clear()
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["results"]["bad"]["default"]["polite"] == 1.0
    assert results["results"]["good"]["default"]["polite"] == 0.0
    assert [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning")] == [
        "warning: Metric 'words' of package 'manners 1.0' (manners:polite) is not used: "
        "the built-in metric of that name is.",
        "warning: Metric 'rude' of package 'manners 1.0' (manners:rude) cannot be used: it is int, not a Metric.",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return exchanges[0].verdict", "failed while it was reading replies: AttributeError: "),
        ("return []", "cannot be used: it does not give one Judgement a reply."),
        ("return list(exchanges)", "cannot be used: it does not give one Judgement a reply."),
    ],
)
def test_a_judge_that_fails_on_replies_is_one_line_and_the_replies_are_kept(
    body: str, message: str, run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "class Judge:\n    name, version, known_error = 'mine', '1', None\n\n"
        f"    def judge(self, exchanges):\n        {body}\n"
    )
    assert run_fakes("--methods", "default", "--judge", f"{path}:Judge") == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"equipoise: Judge 'mine' {message}")
    assert (tmp_path / "run/replies/default/seed-0/bad.jsonl").exists()


def test_an_installed_method_behind_a_built_in_one_is_told_and_not_used(
    run_fakes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "site/copy-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: copy\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[equipoise.methods]\nprefix = nowhere:X\nscans = nowhere:X\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert run_fakes("--methods", "prefix") == 0
    assert [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning")] == [
        "warning: Method 'prefix' of package 'copy 1.0' (nowhere:X) is not used: the built-in method of that name is."
    ]
