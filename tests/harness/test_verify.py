import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.errors import UserError
from harness import ledger
from harness.findings import Finding, Level
from harness.fitting import read_facts
from harness.run_folder import RunFolder
from harness.seal import is_whole, sealed
from harness.storage import write_json
from harness.verify.command import FINE, verify
from metrics.judges.keyword import KeywordJudge

Run = Callable[..., int]
Edit = Callable[[Path], object]
REPLIES = "replies/prefix/seed-0/bad.jsonl"
SCORES = "scores/prefix/seed-0/bad.jsonl"


@pytest.fixture
def run(run_fakes: Run, tmp_path: Path) -> Path:
    assert run_fakes("--methods", "default,prefix", "--benchmarks", "bad,facts") == 0
    return tmp_path / "run"


def found(folder: Path) -> list[Finding]:
    return verify(RunFolder(folder))


def bad(folder: Path, level: Level = Level.PROBLEM) -> list[str]:
    return [line.text for line in found(folder) if line.level is level]


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_a_fresh_run_has_nothing_to_say_but_that_all_is_well(run: Path) -> None:
    assert {line.level for line in found(run)} == {Level.OK}
    texts = {line.subject: line.text for line in found(run)}
    assert texts["replies"] == "28 lines in 4 files are as they were written"
    assert texts["scores"] == "20 lines in 2 files are as they were written"
    assert texts["artefacts"] == "2 as they were written"
    assert texts["model"].endswith("as recorded; not checked, since no model is loaded")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_character_in_any_file_is_found_and_named(run: Path, data: st.DataObject) -> None:
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    kinds = sorted({path.relative_to(run).parts[0] for path in files})
    kind = data.draw(st.sampled_from(kinds))
    path = data.draw(st.sampled_from([path for path in files if path.relative_to(run).parts[0] == kind]))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.sampled_from(sorted({*b' \n\t"{}019aZ,:\\.'} - {before[place]})))
    path.write_bytes(before[:place] + bytes([byte]) + before[place + 1 :])
    name = path.stem if kind == "benchmarks" else path.relative_to(run).as_posix()
    name = name.rpartition("/")[0] if kind == "artefacts" else name
    try:
        told = [f"{line.subject} {line.text}" for line in found(run) if line.level is not Level.OK]
    except UserError as error:  # run.json is none any more, or of a version that is not known
        told = [str(error)]
        assert kind == "run.json"
        name = "run"
    finally:
        path.write_bytes(before)
    assert any(name in text for text in told), told


def edit_a_reply(folder: Path) -> None:
    path = folder / REPLIES
    path.write_bytes(path.read_bytes().replace(b"sorry", b"happy", 1))


def copy_a_cell(folder: Path) -> None:
    shutil.copy(folder / "replies/default/seed-0/bad.jsonl", folder / REPLIES)


def copy_a_line(folder: Path) -> None:
    first = (folder / "replies/default/seed-0/bad.jsonl").read_bytes().splitlines(keepends=True)[0]
    rewrite(folder / REPLIES, lambda lines: [first, *lines[1:]])


def repeat_a_line(folder: Path) -> None:
    rewrite(folder / REPLIES, lambda lines: [*lines, lines[0]])


def invent_a_line(folder: Path) -> None:
    ledger.append(folder / SCORES, [{"prompt_id": "other", "surprise": 1.0}])


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (edit_a_reply, f"{REPLIES}, line 1 ('harmful-9'): torn or edited"),
        (copy_a_cell, f"{REPLIES}: 10 lines belong into replies/default/seed-0/bad.jsonl"),
        (copy_a_line, f"{REPLIES}, line 1 ('harmful-9'): belongs into replies/default/seed-0/bad.jsonl"),
        (repeat_a_line, f"{REPLIES}, line 11 ('harmful-9'): a second one of this prompt"),
        (invent_a_line, f"{SCORES} has 1 lines of prompts that are not in the benchmark"),
    ],
)
def test_a_spoilt_line_is_named(run: Path, edit: Edit, told: str) -> None:
    edit(run)
    assert bad(run)[0] == told


def test_a_removed_reply_is_missed_and_its_numbers_have_nothing_to_follow_from(run: Path) -> None:
    rewrite(run / REPLIES, lambda lines: lines[1:])
    assert bad(run, Level.WARNING) == [f"{REPLIES} has 9 of 10: the run is unfinished, or lines are gone"]
    assert "results.json: bad/refusal_rate of prefix: 1 written, nothing from the replies" in bad(run)


def test_lines_in_another_order_change_no_number_and_are_told(run: Path) -> None:
    rewrite(run / REPLIES, lambda lines: lines[::-1])
    assert bad(run) == []
    (told,) = bad(run, Level.WARNING)
    assert told.endswith("is in another order than the cells of other arms; no number depends on it")


def test_a_reply_that_was_edited_and_sealed_anew_is_seen_by_its_numbers(run: Path) -> None:
    path = run / REPLIES
    records = [dict(record) for record in ledger.read(path).records.values()]
    path.unlink()
    ledger.append(path, [{**record, "text": "Sure, word by word."} for record in records])
    assert bad(run)[0] == "results.json: bad/refusal_rate of prefix: 1 written, 0 from the replies"


def test_an_artefact_whose_facts_were_edited_is_named_and_is_none_any_more(run: Path) -> None:
    path = run / "artefacts/prefix/seed-0/fit.json"
    path.write_text(path.read_text().replace('"seconds": 2.0', '"seconds": 1.0'))
    assert bad(run)[0] == "artefacts/prefix/seed-0/fit.json was edited"
    assert read_facts(path.parent) is None


def test_a_number_that_does_not_follow_is_named_with_both_values(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    number = next(one for one in results["estimates"] if (one["arm"], one["column"]) == ("prefix", "facts/accuracy"))
    number["value"] = 0.8
    write_json(run / "results.json", results)
    assert bad(run) == ["results.json: facts/accuracy of prefix: 0.8 written, 1 from the replies"]


def test_an_unfinished_run_is_told_what_is_missing_and_checked_for_the_rest(run: Path) -> None:
    shutil.rmtree(run / "report")
    for name in (REPLIES, SCORES, "results.json", "costs.json"):
        (run / name).unlink()
    assert bad(run) == []
    assert bad(run, Level.WARNING) == [
        f"{REPLIES} has 0 of 10: the run is unfinished, or lines are gone",
        "there is no results.json yet; 'equipoise report' writes it",
    ]


def test_results_of_another_judge_are_recomputed_with_that_judge(run: Path, equipoise: Run) -> None:
    assert equipoise("report", str(run), "--judge", "gcg") == 0
    assert bad(run) == []
    path = run / "results.gcg.json"
    path.write_text(path.read_text().replace('"value": 1.0', '"value": 0.5', 1))
    assert bad(run)[0].startswith("results.gcg.json: ")


def test_another_version_of_the_judge_makes_its_numbers_doubtful_but_not_wrong(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = f"keyword {KeywordJudge().version}"
    monkeypatch.setattr(KeywordJudge, "version", "next")
    told = bad(run, Level.WARNING)
    assert told[0] == f"results.json was judged by '{old}'; this is 'keyword next', whose verdicts may differ"
    assert not any(line.startswith("results.json") for line in bad(run))


def as_of_an_earlier_version(folder: Path) -> None:
    """Checksums that do not name their cell, and no digest anywhere."""
    for path in [*folder.glob("replies/*/*/*"), *folder.glob("scores/*/*/*")]:
        records = ledger.read(path).records.values()
        lines = [json.dumps({**record, "checksum": ledger._checksum(record)}) for record in records]
        path.write_text("".join(f"{line}\n" for line in lines))
    for path in [folder / "run.json", *folder.glob("artefacts/*/*/fit.json")]:
        content = json.loads(path.read_text())
        del content["digest"]
        write_json(path, content)


def test_a_run_of_an_earlier_version_is_checked_as_far_as_can_be(run: Path) -> None:
    as_of_an_earlier_version(run)
    assert bad(run) == []
    assert bad(run, Level.WARNING) == [
        "has no digest, being of an earlier version: an edit cannot be told",
        "2 have no digest, being of an earlier version: an edit of cost or diagnostics cannot be told",
        "28 lines have no digest but a checksum of an earlier version: edits are told, a line of another cell is not",
        "20 lines have no digest but a checksum of an earlier version: edits are told, a line of another cell is not",
    ]
    edit_a_reply(run)
    assert bad(run)[0] == f"{REPLIES}, line 1 ('harmful-9'): torn or edited"


@pytest.mark.parametrize(("edit", "code", "last"), [(None, 0, FINE), (edit_a_reply, 1, "14 problems and 1 warning.")])
def test_the_exit_code_says_whether_anything_differs(
    run: Path, equipoise: Run, edit: Edit | None, code: int, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    if edit:
        edit(run)
    assert equipoise("verify", str(run)) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_machines_get_the_same_lines(run: Path, equipoise: Run, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert equipoise("verify", str(run), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["problems"], told["warnings"]) == (str(run), 0, 0)
    assert told["findings"] == [line._asdict() for line in found(run)]


def test_what_is_no_run_or_of_a_newer_schema_is_a_users_mistake(
    tmp_path: Path, equipoise: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("verify", str(tmp_path)) == 2
    assert "is no run folder: it has no readable run.json." in capsys.readouterr().err
    (tmp_path / "run.json").write_text('{"schema_version": 2}')
    assert equipoise("verify", str(tmp_path)) == 2
    assert "has schema version 2" in capsys.readouterr().err


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.text(max_size=4))
def test_what_is_sealed_is_whole_until_an_entry_changes(content: dict[str, object], key: str) -> None:
    content.pop("digest", None)
    once = json.loads(json.dumps(sealed(content)))
    assert is_whole(once)
    assert sealed(once) == once
    assert is_whole(content) is None
    if key != "digest":
        assert is_whole({**once, key: "otherwise than any"}) is (content.get(key) == "otherwise than any")
