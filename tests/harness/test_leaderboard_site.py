import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import reports.registry
from benchmarks.errors import UserError
from harness.columns import Pairing
from harness.site.building import build
from harness.site.collect import Reading, read_runs
from harness.site.entries import held
from harness.site.folder import MARKER
from harness.site.grouping import groups, require_one
from harness.site.ranking import aligned, differences
from metrics.paired import Sides, safety_utility
from metrics.ranking import with_tails
from metrics.su_f1 import PAPER_BOUNDS, Scores
from reports.registry import RENDERERS
from reports.site.base import Row, Site
from tests.harness.made_runs import MadeArm, asked
from tests.harness.site_runs import BAD, BENIGN, DEFAULT, GOOD, HARMFUL, arm, run

Equipoise = Callable[..., int]
PAIRING = Pairing(HARMFUL, BENIGN)


@pytest.fixture(autouse=True)
def empty_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of runs are slow to draw and tested elsewhere."""
    page = replace(RENDERERS["html"], render=lambda comparison: f"<!DOCTYPE html>{comparison.model}")
    monkeypatch.setitem(vars(reports.registry)["RENDERERS"], "html", page)


def read(*roots: Path, judge: str | None = None) -> list[Reading]:
    return read_runs([str(root) for root in roots], judge, lambda _: None)


def site(*roots: Path) -> Site:
    return build(read(*roots))


def rows(found: Site, group: int = 0) -> Sequence[Row]:
    return found.groups[group].rankings[0].rows


def test_arms_that_the_test_cannot_tell_apart_share_a_rank(tmp_path: Path) -> None:
    found = {row.entry.arm: row.places for row in rows(site(run(tmp_path / "a")))}
    assert found == {"good": (1, 2), "also": (1, 2), "bad": (3, 3), "default": (4, 4)}


def test_places_are_those_of_the_literal_count_over_holms_pairs(tmp_path: Path) -> None:
    arms = [DEFAULT, *(arm(f"x-{refused}", refused) for refused in (8, 14, 16, 20, 22, 33))]
    readings = read(run(tmp_path / "a", arms))
    holders = held(readings)
    sides = {one.label: readings[0].evidence.table.of_pairing(one.label, PAIRING) for one in holders}
    raw = {}
    for first, second in combinations(sides, 2):
        ours, theirs = sides[first], sides[second]
        assert ours is not None and theirs is not None
        (raw[first, second],) = with_tails([safety_utility(ours, theirs)["su_f1"]])
    by_p = sorted(raw, key=lambda pair: raw[pair].p_value)
    significant, highest = {}, 0.0
    for place, pair in enumerate(by_p):
        highest = max(highest, min(1.0, (len(by_p) - place) * raw[pair].p_value))
        significant[pair] = highest < 0.05
    for row in rows(build(readings)):
        name = row.entry.arm
        won = [pair for pair, is_told in significant.items() if is_told and name in pair]
        better = sum((raw[pair].value > 0) != (pair[0] == name) for pair in won)
        assert row.places == (1 + better, len(sides) - (len(won) - better))
    assert any(significant.values()) and not all(significant.values())


def test_the_difference_to_default_is_the_arm_less_default_with_the_pairs_p(tmp_path: Path) -> None:
    readings = read(run(tmp_path / "a"))
    pairs = differences(PAIRING, held(readings), PAPER_BOUNDS)
    found = {row.entry.arm: row.delta for row in rows(build(readings))}
    assert found["default"] is None
    delta = found["good"]
    assert delta is not None
    assert delta.value == -pairs[0, 2].value > 0  # default comes first
    assert (delta.low, delta.high, delta.p_adjusted) == (-pairs[0, 2].high, -pairs[0, 2].low, pairs[0, 2].p_adjusted)


def test_arms_of_several_runs_are_ranked_together_and_equal_defaults_are_one(tmp_path: Path) -> None:
    found = site(run(tmp_path / "a", (DEFAULT, GOOD)), run(tmp_path / "b", (DEFAULT, BAD), day=2))
    assert len(found.groups) == 1
    assert [row.entry.arm for row in rows(found)] == ["good", "bad", "default"]
    default = rows(found)[-1].entry
    assert (default.run, [past.run for past in default.history]) == ("b", ["a"])


def test_defaults_that_answer_differently_stay_two_and_say_so(tmp_path: Path) -> None:
    found = site(run(tmp_path / "a"), run(tmp_path / "b", (arm("default", 6), GOOD), day=2))
    told = {row.entry.run: row.entry.notes for row in rows(found) if row.entry.arm == "default"}
    assert told == {
        "a": ("its replies in a differ from those in b",),
        "b": ("its replies in b differ from those in a",),
    }
    assert [row.entry.run for row in rows(found) if row.entry.is_baseline] == ["b"]


def test_the_newest_finished_run_of_an_arm_counts_and_the_others_are_its_history(tmp_path: Path) -> None:
    unfinished = MadeArm("good", "good", {HARMFUL: 40})
    runs = [
        run(tmp_path / "old", (DEFAULT, arm("good", 10))),
        run(tmp_path / "new", (DEFAULT, GOOD), day=2),
        run(tmp_path / "cut", (DEFAULT, unfinished), day=3),
    ]
    for given in (runs, runs[::-1]):
        (good,) = (row.entry for row in rows(site(*given)) if row.entry.arm == "good")
        assert good.run == "new"
        assert [(past.run, past.version) for past in good.history] == [("cut", "0.3"), ("old", "0.1")]
        assert [f"{PAIRING.name}/su_f1" in past.estimates for past in good.history] == [False, True]


def test_one_name_with_two_settings_is_two_arms_that_say_theirs(tmp_path: Path) -> None:
    found = site(
        run(tmp_path / "a", (DEFAULT, arm("good", 36, alpha=0.1, same=1))),
        run(tmp_path / "b", (DEFAULT, arm("good", 30, alpha=0.2, same=1)), day=2),
    )
    told = [(row.entry.run, row.entry.notes) for row in rows(found) if row.entry.arm == "good"]
    assert sorted(told) == [("a", ("with alpha 0.1",)), ("b", ("with alpha 0.2",))]


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        ({"generation": {"max_new_tokens": 32}}, "Generation", "max_new_tokens 32"),
        ({"su_f1": {"low": 0.5, "high": 7.5}}, "SU-F1 bounds", "0.5 and 7.5 bits"),
        ({"facts": {"name": "made", "weights": "other"}}, "Model", "made (weights other)"),
        ({"judge": "gcg"}, "Judge", "gcg "),
        ({"data": {"name": "published", "hash": "123456789"}}, "Methods learn from", "published (content 12345678)"),
        ({"asked": (asked(HARMFUL, 20), asked(BENIGN, 40))}, "Benchmarks", "advbench_456 (20 prompts, content "),
    ],
)
def test_what_decides_the_numbers_makes_another_group_that_says_so(
    tmp_path: Path, change: dict[str, object], name: str, told: str
) -> None:
    few = (arm("default", 4), arm("good", 18))
    found = site(run(tmp_path / "a", few), run(tmp_path / "b", few, day=2, **change))
    assert len(found.groups) == 2
    key = next(one.group for one in found.runs if one.name == "b")
    differs = next(group.differs for group in found.groups if group.key == key)
    assert list(differs) == [name]
    assert differs[name].startswith(told)


def test_seeds_names_of_models_and_settings_of_engines_may_differ(tmp_path: Path) -> None:
    model = {"weights": "hash of made"}
    runs = (
        run(tmp_path / "a"),
        run(tmp_path / "b", day=2, seeds=[0, 1]),
    )
    assert len(groups(read(*runs))) == 1
    named = [
        run(tmp_path / name, (DEFAULT, GOOD), facts={**model, "name": name, "engine": engine})
        for name, engine in (("hub/model", "vllm"), ("folder", "vllm[max_model_len=4096]"))
    ]
    assert len(groups(read(*named))) == 1


def test_one_group_is_refused_with_a_line_for_each_difference(tmp_path: Path) -> None:
    runs = read(run(tmp_path / "a"), run(tmp_path / "b", day=2, generation={"max_new_tokens": 32}))
    require_one(runs[:1])
    with pytest.raises(UserError) as error:
        require_one(runs)
    assert str(error.value) == (
        "These runs make 2 groups that cannot be ranked together:\n"
        "  generation.max_new_tokens: 96 -> 32 ('a' -> 'b')\n"
        "Leave out --one-group to get a ranking for each, or give runs that differ in arms and seeds alone."
    )


def test_arms_with_other_seeds_meet_on_those_that_they_share() -> None:
    def sides(seeds: Sequence[int]) -> tuple[tuple[int, ...], Sides]:
        scores = np.array([[float(seed)] * 3 for seed in seeds])
        return tuple(seeds), Sides(Scores(scores, scores), Scores(scores, scores))

    def kept(ours: Sequence[int], theirs: Sequence[int]) -> list[list[float]]:
        return [list(one.harmful.refusal[:, 0]) for one in aligned(sides(ours), sides(theirs))]

    assert kept((0, 1, 2), (1, 2, 3, 4)) == [[1, 2], [1, 2]]
    assert kept((0, 1, 2), (5, 6)) == [[0, 1], [5, 6]]
    assert kept((0, 1, 2), (7,)) == [[0, 1, 2], [7]]
    assert kept((3, 4), (3, 4)) == [[3, 4], [3, 4]]


def test_without_a_pairing_nothing_is_ranked_and_refusals_are_listed(tmp_path: Path) -> None:
    only = (MadeArm("default", "default", {HARMFUL: 3}), MadeArm("good", "good", {HARMFUL: 30}))
    (ranking,) = site(run(tmp_path / "a", only, asked=(asked(HARMFUL, 40),))).groups[0].rankings
    assert ranking.by is None
    assert [column.key for column in ranking.columns] == [f"{HARMFUL}/refusal_rate"]
    assert [row.places for row in ranking.rows] == [None, None]


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_command_writes_a_site_whose_bytes_do_not_depend_on_the_order_of_its_runs(
    tmp_path: Path, equipoise: Equipoise, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(run(tmp_path / "one" / "run")), str(run(tmp_path / "two" / "run", (DEFAULT, BAD), day=2))]
    assert equipoise("leaderboard", *runs, runs[0] + "/", "--output", str(tmp_path / "a")) == 0
    told = capsys.readouterr()
    assert f"'{runs[0]}' is given twice and counts once." in told.err
    assert told.out.splitlines() == [
        "made, advbench 456 + alpaca 100: good and also share rank 1: none of them has an SU-F1 significantly below "
        "any other arm's.",
        str(tmp_path / "a" / "index.html"),
    ]
    assert equipoise("leaderboard", *runs[::-1], "--output", str(tmp_path / "b")) == 0
    files = written(tmp_path / "a")
    assert files == written(tmp_path / "b")
    assert set(files) == {
        *(MARKER, "index.html", "leaderboard.csv", "leaderboard.json", "leaderboard.tex"),
        *(f"runs/{name}/{file}" for name in ("run", "run-2") for file in ("report.html", "results.json")),
    }
    assert b'href="runs/run-2/report.html"' in files["index.html"]
    lines = list(csv.DictReader(io.StringIO(files["leaderboard.csv"].decode())))
    first = next(line for line in lines if line["arm"] == "good" and line["column"].endswith("/su_f1"))
    assert (first["rank"], first["rank_worst"], first["run"]) == ("1", "2", "run")
    (group,) = json.loads(files["leaderboard.json"])["groups"]
    assert float(first["value"]) == group["rankings"][0]["rows"][0]["estimates"][first["column"]]["value"]


def test_a_site_is_written_again_without_what_it_no_longer_has_and_foreign_files_stay(
    tmp_path: Path, equipoise: Equipoise
) -> None:
    out, runs = tmp_path / "site", [str(run(tmp_path / "a")), str(run(tmp_path / "b", day=2))]
    assert equipoise("leaderboard", *runs, "--output", str(out)) == 0
    (out / "CNAME").write_text("example.org")
    (out / "runs" / "b" / "mine.txt").write_text("mine")
    marked = json.loads((out / MARKER).read_text())
    (tmp_path / "outside").write_text("kept")
    (out / MARKER).write_text(json.dumps([*marked, "../outside", str(tmp_path / "outside")]))
    assert equipoise("leaderboard", runs[0], "--output", str(out)) == 0
    assert sorted(path.name for path in (out / "runs").iterdir()) == ["a", "b"]
    assert [path.name for path in (out / "runs" / "b").iterdir()] == ["mine.txt"]
    assert (out / "CNAME").exists() and (tmp_path / "outside").exists()


def test_a_folder_of_others_is_refused_before_any_run_is_read(
    tmp_path: Path, equipoise: Equipoise, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    assert equipoise("leaderboard", str(tmp_path / "none"), "--output", str(tmp_path / "mine")) == 2
    assert capsys.readouterr().err == (
        f"equipoise: '{tmp_path / 'mine'}' is not empty and was not made by 'equipoise leaderboard' "
        f"(it has no {MARKER}). Choose another --output.\n"
    )
    assert equipoise("leaderboard", str(tmp_path), "--output", str(tmp_path / "mine" / "thesis.tex")) == 2
    assert "is a file. Choose another --output." in capsys.readouterr().err
    assert equipoise("leaderboard", str(tmp_path), "--output", str(tmp_path / "mine" / "thesis.tex" / "site")) == 2
    assert "Cannot write to" in capsys.readouterr().err


def test_what_is_no_run_or_of_another_schema_is_refused_by_name(
    tmp_path: Path, equipoise: Equipoise, capsys: pytest.CaptureFixture[str]
) -> None:
    good, new = run(tmp_path / "a"), run(tmp_path / "new")
    header = json.loads((new / "run.json").read_text())
    (new / "run.json").write_text(json.dumps(header | {"schema_version": 99}))
    for bad, told in ((tmp_path / "none", "is no run folder"), (new, "has schema version 99")):
        assert equipoise("leaderboard", str(good), str(bad), "--output", str(tmp_path / "site")) == 2
        error = capsys.readouterr().err
        assert f"'{bad}'" in error and told in error and error.count("\n") == 1
        assert not (tmp_path / "site" / "index.html").exists()


def test_a_run_without_replies_is_listed_and_ranks_nothing(tmp_path: Path) -> None:
    found = site(run(tmp_path / "a", (MadeArm("default", "default", {}), MadeArm("x", "x", {}, failure="NaN\nmore"))))
    assert [row.places for row in rows(found)] == [None, None]
    assert {row.entry.arm: row.entry.notes for row in rows(found)} == {
        "default": ("nothing finished",),
        "x": ("failed: NaN", "nothing finished"),
    }
    assert found.runs[0].problems == ("failed: x", "no finished reply")


def test_another_judge_reads_all_runs_and_makes_them_one_group(tmp_path: Path) -> None:
    runs = run(tmp_path / "a"), run(tmp_path / "b", day=2, judge="gcg")
    assert len(groups(read(*runs))) == 2
    both = read(*runs, judge="gcg")
    assert len(groups(both)) == 1
    assert {reading.judge.split()[0] for reading in both} == {"gcg"}
