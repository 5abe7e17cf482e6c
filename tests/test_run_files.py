"""The run files in `examples/` are what the README and the Makefile name; they must plan without a model."""

import os
from pathlib import Path

import pytest

from harness.config import build_config
from harness.config_file import read_config_file
from harness.plan import make_plan, planned
from harness.tuning.chosen import read_chosen
from methods.registry import METHODS, method_type
from methods.settings import build_settings

EXAMPLES = Path(__file__).parents[1] / "examples"
RUN_FILES = sorted(EXAMPLES.glob("*.yaml"))
TUNED = sorted(path.parent for path in EXAMPLES.glob("tuned/*/chosen.json"))


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.stem)
def test_no_arm_of_a_run_file_is_a_stand_in(path: Path) -> None:
    config = build_config(read_config_file(path))
    arms = [planned(spec, config.seeds) for spec in config.arms]
    assert {arm.method.name for arm in arms if "+" not in arm.method.name} <= METHODS.keys()


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.stem)
def test_every_run_file_plans(path: Path) -> None:
    config = build_config(read_config_file(path))
    if config.data == "published" and not os.environ.get("EQUIPOISE_DATA"):
        pytest.skip("its sets are published ones, and EQUIPOISE_DATA names no folder with them")
    assert make_plan(config).cells


@pytest.mark.parametrize("folder", TUNED, ids=lambda folder: folder.name)
def test_tuned_settings_are_still_settings_of_their_method(folder: Path) -> None:
    chosen = read_chosen(folder)
    assert chosen.method == folder.name
    settings = build_settings(method_type(chosen.method).settings_type, chosen.settings, chosen.method)
    assert all(getattr(settings, name) == value for name, value in chosen.settings.items())


def test_every_method_that_can_be_tuned_was_tuned_under_the_same_budget() -> None:
    facts = [read_chosen(folder).facts for folder in TUNED]
    assert {folder.name for folder in TUNED} == METHODS.keys() - {"default"}
    assert {(one["budget"], one["dev_prompts"], one["weights"]) for one in facts} == {
        ("12 trials", 240, facts[0]["weights"])
    }
