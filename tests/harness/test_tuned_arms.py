import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.arms import parse_arms
from harness.config import build_config
from harness.config_file import read_config_file
from harness.plan import make_plan
from harness.tuning.chosen import FILE
from tests.harness.fakes import FakeModel

Run = Callable[..., int]
FACTS = {"objective": "su_f1", "value": 0.75, "trials": 20, "dev_prompts": 240, "data": "fakes"}


def tuned(folder: Path, method: str = "prefix", **settings: object) -> Path:
    folder.mkdir()
    (folder / FILE).write_text(json.dumps({"method": method, "settings": settings, "facts": FACTS}))
    return folder


def header(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def test_tuned_settings_become_those_of_the_arm_and_the_run_says_so(run_fakes: Run, tmp_path: Path) -> None:
    where = tuned(tmp_path / "tuned", strength=3)
    assert run_fakes("--methods", f"prefix,best=prefix@{where}") == 0
    run = header(tmp_path / "run")
    assert run["protocol"]["arms"]["best"] == {"method": "prefix", "settings": {"strength": 3}}
    assert [arm["tuning"] for arm in run["arms"]] == [None, None, {**FACTS, "overridden": []}]
    assert (tmp_path / "run/artefacts/best/seed-0/prefix.json").read_text() == '"Seed 0. Seed 0. Seed 0. "'
    line = "tuned for su_f1 on 240 dev prompts of 'fakes', 20 trials"
    assert line in (tmp_path / "run/report/report.md").read_text()
    assert run_fakes("--methods", f"best=prefix[strength=1]@{where}", "--output", str(tmp_path / "other")) == 0
    assert f"{line}; given instead: strength" in (tmp_path / "other/report/report.md").read_text()


@pytest.mark.parametrize(("given", "overridden"), [(5, ["strength"]), (3, [])])
def test_settings_that_are_given_win_over_tuned_ones(
    given: int, overridden: list[str], model: FakeModel, tmp_path: Path
) -> None:
    del model
    where = tuned(tmp_path / "tuned", strength=3)
    methods = parse_arms(f"prefix[strength={given}]@{where}")
    plan = make_plan(build_config({"methods": methods, "engine": "fake", "data": "fakes", "benchmarks": ["bad"]}))
    assert plan.arms[1].settings == {"strength": given}
    assert plan.arms[1].tuning == {**FACTS, "overridden": overridden}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "'{folder}' holds no tuned settings: it has no readable chosen.json. Give the --output of an "),
        (
            {"method": "scans", "settings": {}, "facts": {}},
            "'{folder}' holds settings that were tuned for 'scans', not for 'prefix'. "
            "Write 'scans@{folder}', or tune 'prefix'.",
        ),
        (
            {"method": "prefix", "settings": {"strenth": 3}, "facts": {}},
            "No setting of 'prefix' named 'strenth'. Did you mean 'strength'? Available: strength.",
        ),
        (
            {"method": "prefix", "settings": {"strength": 99}, "facts": {}},
            "Setting 'strength' of 'prefix' is 99; it must be a whole number from 0 to 9.",
        ),
    ],
)
def test_tuned_settings_that_do_not_fit_are_refused_before_any_work(
    content: object, message: str, run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    if content:
        (folder / FILE).write_text(json.dumps(content))
    assert run_fakes("--methods", f"prefix@{folder}") == 2
    told = capfd.readouterr().err
    assert told.startswith(f"equipoise: {message.format(folder=folder)}")
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_file_names_tuned_settings_from_its_own_folder(model: FakeModel, tmp_path: Path) -> None:
    del model
    tuned(tmp_path / "tuned", strength=2)
    path = tmp_path / "f.yaml"
    path.write_text(
        "methods: [{name: prefix, as: best, tuned: ./tuned}]\nmodel: {name: x, engine: fake}\n"
        "data: fakes\nbenchmarks: [bad]\n"
    )
    plan = make_plan(build_config(read_config_file(path)))
    assert [(arm.label, arm.settings) for arm in plan.arms] == [("default", {}), ("best", {"strength": 2})]
