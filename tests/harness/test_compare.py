import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import reports.registry
from benchmarks.base import Benchmark
from benchmarks.errors import UserError
from harness.contrast.choosing import choose
from harness.contrast.command import Options, compare
from harness.contrast.joining import Joined, join
from harness.evidence import Evidence, read_evidence
from harness.run_folder import RunFolder
from reports.registry import RENDERERS
from tests.harness.made_runs import MadeArm, asked, make_run

Run = Callable[..., int]
BENCHMARKS = (asked("advbench", 20), asked("alpaca", 10))


def quiet(_: str) -> None:
    pass


def arm(label: str, harmful: int, benign: int = 0, method: str = "neurontune", **settings: object) -> MadeArm:
    return MadeArm(label, method, {"advbench": harmful, "alpaca": benign}, settings)


def made(
    root: Path, *arms: MadeArm, benchmarks: Sequence[Benchmark] = BENCHMARKS, model: str = "made", **protocol: object
) -> RunFolder:
    return RunFolder(make_run(root, arms, benchmarks, model, **protocol))


def read(*folders: RunFolder) -> list[Evidence]:
    return [read_evidence(folder, None, quiet) for folder in folders]


def joined(*folders: RunFolder, arms: Sequence[str] = ()) -> list[Joined]:
    return [join(pair) for pair in choose(read(*folders), arms)]


def page(*folders: RunFolder, **options: object) -> str:
    return compare(folders, replace(Options(), **options), quiet)  # type: ignore[arg-type]


DEFAULT = arm("default", 4, method="default")


def test_two_arms_of_a_run_have_the_numbers_and_tests_of_its_report(tmp_path: Path) -> None:
    run = made(tmp_path / "run", DEFAULT, arm("tuned", 15, 2))
    (found,) = joined(run, arms=["default", "tuned"])
    (evidence,) = read(run)
    keys = [column.key for column in evidence.columns]
    assert found.comparison.differences == evidence.against("default", ["tuned"], keys)
    assert found.notes == ()


def test_the_first_arm_is_the_baseline_and_turning_both_turns_the_signs(tmp_path: Path) -> None:
    run = made(tmp_path / "run", DEFAULT, arm("tuned", 15, 2))
    key = "advbench/refusal_rate"
    (one,), (other,) = joined(run, arms=["default", "tuned"]), joined(run, arms=["tuned", "default"])
    ours, theirs = one.comparison.differences["tuned", key], other.comparison.differences["default", key]
    assert ours.value == pytest.approx(11 / 20) == -theirs.value
    assert ours.p_value == theirs.p_value


def test_a_run_against_itself_differs_in_nothing(tmp_path: Path) -> None:
    runs = [made(tmp_path / name, DEFAULT, arm("tuned", 15, 2)) for name in ("one", "two")]
    text = page(*runs)
    assert text.count("no verdict changed, of 20") == text.count("no verdict changed, of 10") == 2
    assert "better" not in text.replace("higher is better", "").replace("lower is better", "")
    assert "differs:" not in text


def test_verdicts_that_changed_are_counted_and_listed(tmp_path: Path) -> None:
    run = made(tmp_path / "run", arm("a", 4, 2), arm("b", 7, 0))
    lines = page(run).splitlines()
    place = lines.index("advbench: 3 became refused, of 20")
    assert lines[place + 1 : place + 4] == [f"  harmful-{number}; complied -> refused" for number in (4, 5, 6)]
    place = lines.index("alpaca: 2 became complied, of 10")
    assert lines[place + 1 : place + 3] == [f"  benign-{number}; refused -> complied" for number in (0, 1)]


def test_twenty_flips_are_listed_and_all_where_all_are_asked_for(tmp_path: Path) -> None:
    run = made(tmp_path / "run", arm("a", 0), arm("b", 30), benchmarks=[asked("advbench", 30), asked("alpaca", 10)])
    assert page(run).count("complied -> refused") == 20
    assert "  and 10 more; --all lists them" in page(run).splitlines()
    assert page(run, is_whole=True).count("complied -> refused") == 30


def test_the_page_has_80_columns_and_says_no_harmful_word(tmp_path: Path) -> None:
    evil = "x\x1b[31m\u202e" + "very-long-" * 12
    run = made(tmp_path / "run", arm("a", 0), replace(arm("b", 9), label=evil.replace("\x1b", "e")))
    text = page(run, is_whole=True)
    assert max(map(len, text.splitlines())) <= 80
    assert "\u202e" not in text
    assert "how do I do thing" not in text


def test_every_arm_that_both_runs_have_is_compared_with_itself_and_p_holds_for_all(tmp_path: Path) -> None:
    one = made(tmp_path / "one", DEFAULT, arm("x", 4), arm("y", 4))
    two = made(tmp_path / "two", DEFAULT, arm("x", 18), arm("y", 10), arm("z", 1))
    content = json.loads(page(one, two, as_json=True))
    assert [(pair["a"], pair["b"]) for pair in content["pairs"]] == [
        (f"{name} (one)", f"{name} (two)") for name in ("default", "x", "y")
    ]
    tested = [pair["numbers"][0]["difference"] for pair in content["pairs"]]
    assert tested[1]["p_adjusted"] == pytest.approx(3 * tested[1]["p_value"])


def test_the_one_arm_of_either_run_is_meant_where_they_share_none(tmp_path: Path) -> None:
    one, two = made(tmp_path / "one", DEFAULT, arm("x", 9)), made(tmp_path / "two", DEFAULT, arm("y", 9))
    assert [(pair.a.arm, pair.b.arm) for pair in choose(read(one, two), ())] == [("x", "y")]


def test_one_name_is_of_both_runs(tmp_path: Path) -> None:
    runs = [made(tmp_path / name, DEFAULT, arm("x", 9)) for name in ("one", "two")]
    assert [(pair.a.arm, pair.b.arm) for pair in choose(read(*runs), ["x"])] == [("x", "x")]


@pytest.mark.parametrize(
    ("first", "second", "arms", "told"),
    [
        ("xyz", None, "", "Two arms are compared, and 'one' has 3. "
         "Name two with --arms A,B, the baseline first: x, y, z."),
        ("x", None, "", "Two arms are compared, and 'one' has 1. It has no arm but x: give a second run."),
        ("xy", None, "xx", "An arm cannot be compared with itself within one run. "
         "Name two with --arms A,B, the baseline first: x, y."),
        ("xy", None, "xyy", "--arms takes two labels, the baseline first; 3 were given."),
        ("xy", "zw", "", "It cannot be told which arms are meant: the runs share none but default. "
         "Name one of each with --arms A,B: 'one' has x, y; 'two' has z, w."),
        ("xy", "zw", "xy", "No arm of 'two' named 'y'. Available: w, z."),
    ],
)  # fmt: skip
def test_what_cannot_be_told_gets_one_line_that_says_what_would_work(
    first: str, second: str | None, arms: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [
        made(Path(name), *(arm(label, 3) for label in labels))
        for name, labels in (("one", first), ("two", second))
        if labels
    ]
    with pytest.raises(UserError) as raised:
        choose(read(*runs), tuple(arms))
    assert str(raised.value) == told


def test_only_prompts_of_both_runs_count_and_the_others_are_told(tmp_path: Path) -> None:
    one = made(tmp_path / "one", arm("x", 5))
    fewer = [asked("advbench", 12), asked("truthfulqa", 5)]
    two = made(tmp_path / "two", MadeArm("x", "neurontune", {"advbench": 9, "truthfulqa": 1}), benchmarks=fewer)
    (found,) = joined(one, two)
    difference = found.comparison.differences["x (two)", "advbench/refusal_rate"]
    assert (difference.n_pairs, difference.value) == (12, pytest.approx(4 / 12))
    assert found.notes[:3] == (
        "left out, since only x (one) has them: alpaca",
        "left out, since only x (two) has them: truthfulqa",
        "advbench: 12 prompts are in both; left out: 8 of A, 0 of B",
    )


def test_a_prompt_with_the_same_id_and_another_text_is_another_prompt(tmp_path: Path) -> None:
    other = asked("advbench", 20)
    changed = replace(other.prompts[3], messages=other.prompts[4].messages)
    other = replace(other, prompts=(*other.prompts[:3], changed, *other.prompts[4:]))
    runs = [made(tmp_path / "one", arm("x", 5)), made(tmp_path / "two", arm("x", 5), benchmarks=[other, BENCHMARKS[1]])]
    (found,) = joined(*runs)
    assert "advbench: 19 prompts are in both; left out: 1 of A, 1 of B" in found.notes


def test_nothing_in_common_is_a_users_mistake(tmp_path: Path) -> None:
    one = made(tmp_path / "one", MadeArm("x", "neurontune", {"advbench": 9}))
    two = made(tmp_path / "two", MadeArm("x", "neurontune", {"alpaca": 1}))
    with pytest.raises(UserError) as told:
        joined(one, two)
    assert str(told.value) == (
        "There is no prompt that both have answered: 'x (one)' has finished advbench; 'x (two)' has finished alpaca."
    )


def test_protocols_and_settings_that_differ_are_told_in_a_line_each(tmp_path: Path) -> None:
    one = made(tmp_path / "one", arm("x", 5, safety_neurons=50))
    two = made(tmp_path / "two", arm("x", 9, safety_neurons=100), model="other", generation={"max_new_tokens": 48})
    (found,) = joined(one, two)
    assert found.notes == (
        'differs: model.name "made" / "other"',
        'differs: model.weights "hash of made" / "hash of other"',
        "differs: max_new_tokens 96 / 48",
        "differs: safety_neurons 50 / 100",
    )
    assert found.comparison.model == "made / other"


def test_runs_of_different_judges_need_one_for_both(tmp_path: Path) -> None:
    runs = made(tmp_path / "one", arm("x", 5)), made(tmp_path / "two", arm("x", 5), judge="gcg")
    with pytest.raises(UserError) as told:
        page(*runs)
    assert str(told.value) == (
        "The runs were read by different judges, 'keyword' and 'gcg'. "
        "Say who is to read both, for instance --judge 'keyword'."
    )
    assert "judge keyword 1" in page(*runs, judge="keyword")


@pytest.mark.parametrize(
    ("ours", "theirs", "pairs", "told"),
    [
        ([0, 1], [1, 2], 1, "seeds 0, 1 / 1, 2: those of both are compared"),
        ([0], [0, 1, 2], 1, "seeds 0 / 0, 1, 2: those of both are compared"),
        ([0, 1], [5, 6, 7], 2, "seeds 0, 1 / 5, 6, 7: none is in both, so they are paired in their order"),
    ],
)
def test_seeds_pair_where_they_are_the_same(
    ours: list[int], theirs: list[int], pairs: int, told: str, tmp_path: Path
) -> None:
    one, two = made(tmp_path / "one", arm("x", 5), seeds=ours), made(tmp_path / "two", arm("x", 9), seeds=theirs)
    (found,) = joined(one, two)
    assert f"advbench: {told}" in found.notes
    assert len(found.comparison.samples) == 2 * 30 * pairs
    assert found.comparison.differences["x (two)", "advbench/refusal_rate"].value == pytest.approx(4 / 20)


def test_the_page_is_the_reports_and_stands_where_it_is_asked_for(
    tmp_path: Path, equipoise: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = replace(RENDERERS["html"], render=lambda comparison: " | ".join(arm.name for arm in comparison.arms))
    monkeypatch.setitem(vars(reports.registry)["RENDERERS"], "html", shown)
    run = made(tmp_path / "run", DEFAULT, arm("tuned", 15, 2))
    path = tmp_path / "pages" / "c.html"
    assert equipoise("compare", str(run.root), "--arms", "tuned, default", "--output", str(path)) == 0
    assert path.read_text() == "tuned | default"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)


def test_a_page_of_more_than_two_arms_or_of_no_name_is_refused(tmp_path: Path) -> None:
    runs = [made(tmp_path / name, DEFAULT, arm("x", 9)) for name in ("one", "two")]
    with pytest.raises(UserError) as told:
        page(*runs, output=tmp_path / "c.html")
    assert str(told.value) == "A page shows two arms, and 2 pairs were found. Name one with --arms: default, x."
    with pytest.raises(UserError) as told:
        page(*runs, output=Path("c"))
    assert str(told.value) == "--output 'c' is no page. Give a file that ends in .html."


def test_the_real_page_shows_both_arms_of_two_runs(tmp_path: Path) -> None:
    runs = [made(tmp_path / name, arm("x", count)) for name, count in (("one", 4), ("two", 15))]
    page(*runs, output=tmp_path / "c.html")
    text = (tmp_path / "c.html").read_text()
    assert "x (one)" in text.replace("<wbr>", "")
    assert "x (two)" in text.replace("<wbr>", "")


def test_machines_get_every_number_and_the_whole_ids(tmp_path: Path) -> None:
    run = made(tmp_path / "run", arm("a", 4), arm("b", 6))
    (pair,) = json.loads(page(run, as_json=True))["pairs"]
    assert pair["flips"][0]["became"] == {"refused": 2}
    assert [flip["prompt_id"] for flip in pair["flips"][0]["prompts"]] == ["harmful-4", "harmful-5"]
    number = next(one for one in pair["numbers"] if one["column"] == "advbench/refusal_rate")
    assert (number["a"]["value"], number["b"]["value"], number["difference"]["verdict"]) == (0.2, 0.3, "n.s.")
    assert number["difference"]["value"] == pytest.approx(0.1)
