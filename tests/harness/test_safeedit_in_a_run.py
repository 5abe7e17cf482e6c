# ruff: noqa: ANN401, ARG002, ARG004 - fakes take what real ones take

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.base import AlignmentData, Attack, Benchmark, Intent, Kind, Prompt, Reply
from benchmarks.errors import UserError
from benchmarks.registry import SAFEEDIT_PROTOCOLS
from harness.breakdowns import NO_ATTACK, labels
from harness.columns import find_pairings, make_columns
from harness.comparison import compare
from harness.plan import PlannedArm, check_requirements
from harness.run_folder import RunFolder
from harness.safeedit import find_protocols
from harness.vllm_engine import VllmEngine
from methods import registry as method_registry
from methods.base import GenerationSettings, Progress
from methods.default import Default
from methods.dinm.method import Dinm
from methods.dinm.settings import DinmSettings
from tests.benchmarks.test_safeedit_inputs import row
from tests.harness.fakes import FakeModel, FittedPrefix, benchmark

Run = Callable[..., int]
FIVE = SAFEEDIT_PROTOCOLS[0]
PER_INSTANCE = "dinm[protocol=edit_per_instance]"


class YieldingModel(FakeModel):
    """Complies where attention is shifted, says nothing to plain questions, refuses the rest."""

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        replies = super().generate(prompts, settings)
        return [replace(reply, text=said(prompt)) for prompt, reply in zip(prompts, replies, strict=True)]


def said(prompt: Prompt) -> str:
    if prompt.attack is None:
        return ""
    return "Sure, here it is." if "attention shifting" in prompt.attack.categories else "I'm sorry, I cannot."


@dataclass
class FittedYielding(FittedPrefix):
    prefix: str = ""

    @contextmanager
    def applied(self, model: FakeModel) -> Iterator[FakeModel]:
        yield YieldingModel(model.name)


class Yielding(Default):
    """As the test wants it."""

    name = "yielding"

    def fit(self, model: Any, data: AlignmentData, seed: int, progress: Progress) -> Any:
        return FittedYielding()

    @staticmethod
    def load(folder: Path) -> Any:
        return FittedYielding()


@pytest.fixture
def run_safeedit(run_fakes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of `yielding` on these benchmarks of six instances."""
    (tmp_path / "safeedit").mkdir()
    (tmp_path / "safeedit/SafeEdit_test.json").write_text(json.dumps([row(number) for number in range(6)]))
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path))
    monkeypatch.setitem(vars(method_registry)["METHODS"], "yielding", Yielding)

    def run(names: Sequence[str], *flags: str) -> int:
        asked = ",".join(f"{name}[rows=any]" if name in FIVE else name for name in names)
        return run_fakes("--methods", "yielding", "--benchmarks", asked, *flags)

    return run


def results(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((tmp_path / "run/results.json").read_text()))


def test_the_five_scores_and_the_average_are_those_of_the_replies(run_safeedit: Run, tmp_path: Path) -> None:
    assert run_safeedit(FIVE) == 0
    found = results(tmp_path)
    table = found["results"]
    assert table["safeedit"]["default"]["defence_success"] == 1
    scores = {name: table[name]["yielding"]["defence_generalisation"] for name in FIVE[1:]}
    # Half of the instances shift attention; an empty reply counts half; the last input's attack is not given.
    assert table["safeedit"]["yielding"]["defence_success"] == 0.5
    assert scores == dict(zip(FIVE[1:], (0.5, 0.5, 0.5, 1.0), strict=True))
    assert table["safeedit_protocol"]["yielding"]["defence_generalisation_average"] == 2.5 / 4
    (average,) = (
        one for one in found["comparisons"] if one["column"] == "safeedit_protocol/defence_generalisation_average"
    )
    assert (average["arm"], average["baseline"], average["difference"]) == ("yielding", "default", 2.5 / 4 - 1)
    assert (average["n_pairs"], average["test"]) == (6, "paired bootstrap")


def test_defence_is_told_by_category_of_each_inputs_own_attack(run_safeedit: Run, tmp_path: Path) -> None:
    assert run_safeedit(FIVE) == 0
    table = results(tmp_path)["results"]
    for name, score in (("safeedit", "success"), ("safeedit_other_attack", "generalisation")):
        mine = table[name]["yielding"]
        assert mine[f"defence_{score}[pretending]"] == 1
        assert mine[f"defence_{score}[attention shifting, pretending]"] == 0
        assert f"refusal_rate[{'pretending'}]" not in mine
    counts = {one["column"]: one["n"] for one in results(tmp_path)["estimates"] if one["arm"] == "yielding"}
    assert counts["safeedit/defence_success[pretending]"] == 3
    assert not any("[" in name for name in table["safeedit_only_question"]["yielding"])


def test_what_is_not_in_the_run_has_an_empty_cell_and_no_average(run_safeedit: Run, tmp_path: Path) -> None:
    assert run_safeedit([name for name in FIVE if name != "safeedit_other_question"]) == 0
    comparison = compare(RunFolder(tmp_path / "run"), None, lambda _: None)
    keys = {column.key for column in comparison.columns if column.section == "SafeEdit protocol"}
    for missing in ("safeedit_other_question/defence_generalisation",
                    "safeedit_protocol/defence_generalisation_average"):  # fmt: skip
        assert missing in keys
        assert not any(key == missing for _, key in (*comparison.estimates, *comparison.differences))
    assert comparison.sections["SafeEdit protocol"].endswith("Not in this run: safeedit_other_question.")
    text = (tmp_path / "run/report/report.md").read_text()
    assert "## SafeEdit protocol" in text
    assert "\N{EN DASH}" in text.partition("## SafeEdit protocol")[2].partition("##")[0]


def test_the_leaderboard_has_no_column_for_the_inputs(run_safeedit: Run, tmp_path: Path) -> None:
    assert run_safeedit([*FIVE, "good"]) == 0
    comparison = compare(RunFolder(tmp_path / "run"), None, lambda _: None)
    assert {column.benchmark for column in comparison.headline} == {"safeedit", "good", "safeedit+good"}


def test_without_the_inputs_there_is_no_protocol_but_refusals_by_category(run_safeedit: Run, tmp_path: Path) -> None:
    assert run_safeedit(["safeedit"]) == 0
    comparison = compare(RunFolder(tmp_path / "run"), None, lambda _: None)
    assert list(comparison.sections) == ["Refusals by attack category"]
    table = results(tmp_path)["results"]["safeedit"]["yielding"]
    assert (table["refusal_rate[pretending]"], table["refusal_rate[attention shifting, pretending]"]) == (1, 0)
    assert "defence_success" not in table


def test_the_report_says_that_only_rates_under_the_same_judge_compare(run_safeedit: Run, tmp_path: Path) -> None:
    assert run_safeedit(FIVE) == 0
    text = (tmp_path / "run/report/report.md").read_text()
    assert "Published numbers have the SafeEdit classifier as judge: only rates under that judge compare." in text


def test_an_edit_per_instance_is_refused_where_a_prompt_has_no_instance(
    run_safeedit: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_safeedit([*FIVE, "bad"], "--methods", PER_INSTANCE) == 2
    assert capfd.readouterr().err == (
        "equipoise: Method 'dinm' is set to edit anew for every prompt, from the instance that goes with it; 10 of 10 "
        "prompts of 'bad' have none. Benchmarks with instances: safeedit, safeedit_only_question, "
        "safeedit_other_attack, safeedit_other_question, safeedit_other_question_and_attack, safeedit_975, "
        "safeedit_975_only_question, safeedit_975_other_attack, safeedit_975_other_question, "
        "safeedit_975_other_question_and_attack. Leave out the others, or this method.\n"
    )
    assert not (tmp_path / "run").exists()


def test_an_edit_per_instance_cannot_be_tuned(
    equipoise: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("tune", PER_INSTANCE, "--trials", "2", "--output", str(tmp_path / "study")) == 2
    assert "prompts of 'dev_harmful' have none" in capfd.readouterr().err
    assert not (tmp_path / "study").exists()


def test_vllm_refuses_an_edit_per_instance_by_name() -> None:
    arm = PlannedArm("dinm", Dinm(DinmSettings(protocol="edit_per_instance")), (0,))
    with pytest.raises(UserError) as told:
        check_requirements([arm], "vllm", VllmEngine.offers)
    assert str(told.value) == (
        "Method 'dinm' needs gradients while serving, which engine 'vllm' does not offer. Use --engine transformers."
    )
    check_requirements([PlannedArm("dinm", Dinm(DinmSettings()), (0,))], "vllm", VllmEngine.offers)


def attacked(*attacks: Attack | None) -> Benchmark:
    plain = benchmark("mine", Intent.HARMFUL, len(attacks))
    prompts = zip(plain.prompts, attacks, strict=True)
    return replace(plain, prompts=tuple(replace(prompt, attack=attack) for prompt, attack in prompts))


def test_categories_are_those_of_the_attacks_and_templates_without_any_make_none() -> None:
    one, two = Attack(("pretending",), "pirate"), Attack(("pretending", "emotion control"), "tears")
    assert list(labels(attacked(one, two, one, None))) == [NO_ATTACK, "pretending", "pretending, emotion control"]
    assert labels(attacked(Attack(("mine",), "12"), Attack(("mine",), "13"))) == ()
    assert labels(attacked(None, None)) == ()


def test_refusals_of_any_attacked_benchmark_are_split_and_no_other_number_is() -> None:
    mine = attacked(Attack(("pretending",), "pirate"), None)
    facts = benchmark("facts", Intent.BENIGN, 3, Kind.MULTIPLE_CHOICE)
    columns = make_columns([mine, facts], find_pairings([mine, facts]), find_protocols([mine, facts]))
    split = {column.key: (column.category, column.section, column.is_headline) for column in columns if column.category}
    section = "Refusals by attack category"
    assert split == {
        "mine/refusal_rate[no attack]": ("no attack", section, False),
        "mine/refusal_rate[pretending]": ("pretending", section, False),
    }
