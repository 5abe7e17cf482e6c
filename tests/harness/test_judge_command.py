import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.judging.table import WIDTH
from tests.harness.fakes import FakeModel
from tests.harness.made_runs import MadeArm, asked, make_run

Run = Callable[..., int]
HEADER = "completion,final_label,annotation_1,annotation_2\n"
REFUSAL, ANSWER = "\"I'm sorry, but I can't help.\"", "Take two eggs."
FULL, PART, NONE = "2_full_refusal", "3_partial_refusal", "1_full_compliance"


def published(path: Path, *rows: tuple[str, str]) -> str:
    """A file in XSTest's layout, whose annotators agree."""
    path.write_text(HEADER + "".join(f"{text},{label},{label},{label}\n" for text, label in rows))
    return str(path)


def own(path: Path, *rows: str) -> str:
    path.write_text("".join(f"{row}\n" for row in rows))
    return str(path)


@pytest.fixture
def four(tmp_path: Path) -> str:
    return published(
        tmp_path / "x.csv", (REFUSAL, FULL), (ANSWER, PART), (ANSWER, NONE), (ANSWER, NONE)
    )  # the second is missed by phrases


def test_a_published_layout_needs_no_flag_and_a_partial_refusal_counts_as_one(
    four: str, equipoise: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("judge", four, "--judges", "keyword,gcg", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    keyword = found["measured"][0]
    assert (keyword["judge"], keyword["group"], keyword["n"], keyword["refusal_rate"]) == ("keyword", "x", 4, 0.25)
    shares = {name: keyword["agreement"][name]["value"] for name in ("accuracy", "sensitivity", "specificity")}
    assert shares == {"accuracy": 0.75, "sensitivity": 0.5, "specificity": 1.0}
    assert keyword["agreement"]["kappa"]["value"] == pytest.approx(0.5)
    assert found["truth"] == "final_label 2_full_refusal or 3_partial_refusal"


def test_humans_and_judges_stand_in_one_matrix(four: str, equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("judge", four, "--judges", "keyword,gcg", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["readers"] == ["keyword", "gcg", "annotation_1", "annotation_2"]
    shares = {(pair["first"], pair["second"]): pair["share"]["value"] for pair in found["pairs"]}
    assert shares["keyword", "gcg"] == shares["annotation_1", "annotation_2"] == 1.0
    assert shares["keyword", "annotation_1"] == 0.75 and len(shares) == 6


def test_several_files_are_told_of_each_and_together(
    four: str, tmp_path: Path, equipoise: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    other = published(tmp_path / "y.csv", (REFUSAL, FULL), (ANSWER, NONE))
    assert equipoise("judge", four, other, "--judges", "keyword", "--json") == 0
    rows = json.loads(capfd.readouterr().out)["measured"]
    assert [(row["group"], row["n"]) for row in rows] == [("x", 4), ("y", 2), ("all", 6)]


def test_a_table_of_ones_own_is_read_as_the_flags_say_and_told_of_by_group(
    tmp_path: Path, equipoise: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = ["reply,refuses,topic", f"{REFUSAL},yes,a", f"{ANSWER},no,a", f"{ANSWER},no,b", ",no,b"]
    table = own(tmp_path / "own.csv", *rows)
    flags = ["--text", "reply", "--label", "refuses", "--refused", "yes", "--group", "topic", "--judges", "keyword"]
    assert equipoise("judge", table, *flags, "--json") == 0
    first, second, whole = json.loads(capfd.readouterr().out)["measured"]
    assert (first["group"], first["agreement"]["accuracy"]["value"]) == ("a", 1.0)
    assert (second["group"], second["agreement"]["sensitivity"]["value"]) == ("b", None)
    assert second["agreement"]["unsure"] == second["unsure"] == 1 and second["agreement"]["accuracy"]["value"] == 0.5
    assert whole["n"] == 4 and not math.isnan(whole["agreement"]["kappa"]["value"])


def test_the_table_fits_the_terminal_and_the_files_say_the_same(
    four: str, tmp_path: Path, equipoise: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    judges = "keyword,gcg,gcg_short,harmbench,scans,xstest,grammar"
    long_name = published(tmp_path / ("very_long_name_" * 4 + ".csv"), (REFUSAL, FULL), (ANSWER, NONE))
    for name in ("out.md", "out.json"):
        assert equipoise("judge", four, long_name, "--judges", judges, "--output", str(tmp_path / name)) == 0
        told = capfd.readouterr().out
        assert max(map(len, told.splitlines())) <= WIDTH
    assert "0.750" in told and "0.30-0.95" in told
    lines = [line.split("|") for line in (tmp_path / "out.md").read_text().splitlines()]
    assert ["x", "keyword", "4", "0.750 (0.30-0.95)"] in [[cell.strip() for cell in line[1:5]] for line in lines]
    assert json.loads((tmp_path / "out.json").read_text())["measured"][0]["agreement"]["accuracy"]["value"] == 0.75


def test_judges_of_a_run_are_held_to_each_other(
    run_fakes: Run, model: FakeModel, equipoise: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    del model
    assert run_fakes() == 0
    capfd.readouterr()
    assert equipoise("judge", str(tmp_path / "run"), "--judges", "keyword,gcg", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert [row["group"] for row in found["measured"]] == ["bad", "bad", "good", "good", "all", "all"]
    assert found["truth"] == "" and found["measured"][0]["agreement"] is None
    assert len(found["pairs"]) == 1
    assert equipoise("judge", str(tmp_path / "run"), "--judges", "keyword,gcg") == 0
    told = capfd.readouterr().out
    assert "No human labels." in told and "sensitivity" not in told


@pytest.mark.parametrize(
    ("rows", "flags", "message"),
    [
        (["reply,y", "a,1", "b,0"], [], "'{path}' has none of the published layouts. Say --text, --label and "
         "--refused. Its columns: reply, y."),
        (["reply,y", "a,1", "b,0"], ["--text", "replies", "--label", "y", "--refused", "1"],
         "'{path}' has no column 'replies'. Its columns: reply, y."),
        (["reply,y", "a,1", "b,1"], ["--text", "reply", "--label", "y", "--refused", "1"],
         "Every label of '{path}' means the same ('1'; n 2): a judge cannot be measured on one class. Say with "
         "--refused which labels mean a refusal."),
        (["reply,y", "a,1", "b,0"], ["--text", "reply", "--label", "y", "--refused", "yes"],
         "'{path}' has no label 'yes' in 'y'. Its labels: 1, 0."),
        (["reply,y", "a,1", "b,NaN"], ["--text", "reply", "--label", "y", "--refused", "1"],
         "Row 2 of '{path}' has no label in 'y': it has 'NaN'."),
        (["reply,y", "a,1", "b,0"], ["--text", "reply", "--label", "y", "--refused", "1,yes"],
         "'{path}' has no label 'yes' in 'y'. Its labels: 1, 0."),
        ([HEADER.strip(), f"a,{FULL},x,x", "b,maybe,x,x"], [],
         "Row 2 of '{path}' has the unknown label 'maybe'. Known: 2_full_refusal, 3_partial_refusal, "
         "1_full_compliance."),
        ([HEADER.strip(), f"a,{FULL},x,x", f"b,{NONE},x,x"], ["--judges", "keyword,keyword"],
         "--judges names 'keyword' twice. Name each judge once."),
        ([HEADER.strip(), f"a,{FULL},x,x", f"b,{NONE},x,x"], ["--output", "out.txt"],
         "--output 'out.txt' ends in neither .md nor .json. Name a Markdown or a JSON file."),
        ([HEADER.strip(), f"a,{FULL},x,x", f"b,{NONE},x,x"], ["--group", "topic"],
         "'{path}' has no column 'topic'. Its columns: completion, final_label, annotation_1, annotation_2."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    rows: list[str],
    flags: list[str],
    message: str,
    tmp_path: Path,
    equipoise: Run,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = own(tmp_path / "own.csv", *rows)
    assert equipoise("judge", path, *([] if "--judges" in flags else ["--judges", "keyword"]), *flags) == 2
    assert capfd.readouterr().err == f"equipoise: {message.format(path=path)}\n"


def test_two_who_always_agree_have_a_kappa_without_an_interval(
    tmp_path: Path, equipoise: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    path = own(tmp_path / "own.csv", "reply,y", "I cannot help with that.,1", "Sure.,0")
    flags = ("--judges", "keyword", "--text", "reply", "--label", "y", "--refused", "1")
    assert equipoise("judge", path, *flags) == 0
    told = capfd.readouterr().out
    assert told.startswith("1 judge on 2 replies of own.csv.")
    assert [row.split() for row in told.splitlines()[5:7]] == [
        ["own", "keyword", "2", "1.000", "1.000", "1.000", "1.000", "0.500", "0"],
        ["0.34-1.00", "0.21-1.00", "0.21-1.00"],
    ]


def test_a_run_of_no_prompts_is_one_line(tmp_path: Path, equipoise: Run, capfd: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", [MadeArm("a", "default", {"alpaca_100": 0})], [asked("alpaca_100", 0)])
    assert equipoise("judge", str(run), "--judges", "keyword") == 2
    assert capfd.readouterr().err == (
        f"equipoise: '{run}' has no finished replies to judge. Finish the run, or give another folder.\n"
    )


def test_folders_and_tables_are_not_mixed_and_a_folder_must_be_a_run(
    four: str, tmp_path: Path, equipoise: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("judge", four, str(tmp_path)) == 2
    assert "is a folder, others are files. Give tables with labels, or run folders." in capfd.readouterr().err
    assert equipoise("judge", str(tmp_path)) == 2
    assert "is no run folder" in capfd.readouterr().err
    assert equipoise("judge", str(tmp_path), "--label", "y") == 2
    assert "is a run folder, which has no human labels: leave the flags of tables out." in capfd.readouterr().err
    assert equipoise("judge", str(tmp_path / "none.csv")) == 2
    assert "There is no file" in capfd.readouterr().err
