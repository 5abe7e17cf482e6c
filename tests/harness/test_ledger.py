import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.base import Reply, StopReason
from harness import ledger
from harness.records import benchmark_from_json, benchmark_to_json, reply_from_json, reply_to_json
from tests.harness import fakes

REPLIES = st.builds(
    Reply,
    prompt_id=st.text(min_size=1, max_size=8),
    text=st.text(st.characters(), max_size=40) | st.just("\ud800\u2028\r\n\x00"),
    token_ids=st.lists(st.integers(0, 99), max_size=4).map(tuple),
    stop=st.sampled_from(StopReason),
    seconds=st.floats(0, 9),
    action=st.dictionaries(st.text(max_size=4), st.integers() | st.none() | st.text(max_size=4), max_size=2),
    option_log_probabilities=st.none() | st.lists(st.floats(-50, 0), max_size=4).map(tuple),
)
same_folder = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@same_folder
@given(st.lists(REPLIES, max_size=5, unique_by=lambda reply: reply.prompt_id))
def test_what_is_appended_is_read_back(tmp_path: Path, replies: list[Reply]) -> None:
    path = tmp_path / "replies.jsonl"
    path.unlink(missing_ok=True)
    for reply in replies:
        ledger.append(path, [reply_to_json(reply)])
    contents = ledger.read(path)
    assert [reply_from_json(record) for record in contents.records.values()] == replies
    assert contents.is_tidy


@same_folder
@given(st.lists(REPLIES, min_size=1, max_size=4, unique_by=lambda reply: reply.prompt_id), st.data())
def test_a_file_cut_anywhere_keeps_its_whole_lines(tmp_path: Path, replies: list[Reply], data: st.DataObject) -> None:
    path = tmp_path / "replies.jsonl"
    path.unlink(missing_ok=True)
    ledger.append(path, map(reply_to_json, replies))
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = [
        line for line in content.splitlines() if content[:cut].startswith(content[: content.index(line) + len(line)])
    ]
    assert len(ledger.recover(path).records) == len(whole)
    ledger.append(path, map(reply_to_json, replies[len(whole) :]))
    assert path.read_bytes() == content


def test_any_changed_byte_costs_that_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    ledger.append(path, [reply_to_json(Reply(name, "some text", seconds=1.5)) for name in ("a", "b", "c")])
    first, second, third = path.read_bytes().splitlines(keepends=True)
    for place in range(len(second) - 1):
        changed = second[:place] + bytes([second[place] ^ 1]) + second[place + 1 :]
        if changed.count(b"\n") == 1:
            path.write_bytes(first + changed + third)
            assert list(ledger.read(path).records) == ["a", "c"], changed


def test_of_two_records_with_one_id_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    ledger.append(path, [reply_to_json(Reply("a", text)) for text in ("first", "second")])
    contents = ledger.recover(path)
    assert contents.records["a"]["text"] == "first"
    assert [str(damage) for damage in contents.damages] == [
        f"{path}, line 2: a second record of 'a'; the line is dropped, and the next run makes it again."
    ]
    assert ledger.read(path).is_tidy


def test_a_file_that_was_only_read_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(b"{torn")
    assert [damage.line for damage in ledger.read(path).damages] == [1]
    assert path.read_bytes() == b"{torn"


def test_a_record_with_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.append(tmp_path / "scores.jsonl", [{"prompt_id": "a", "surprise": float("nan")}])
    assert not (tmp_path / "scores.jsonl").exists()


def test_a_batch_is_one_write_that_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    ledger.append(tmp_path / "replies.jsonl", [reply_to_json(Reply(name, "x")) for name in "abc"])
    assert len(synced) == 1


@pytest.mark.parametrize("name", ["bad", "facts"])
def test_benchmarks_survive_json(name: str) -> None:
    benchmark = fakes.BENCHMARKS[name]()
    assert benchmark_from_json(benchmark_to_json(benchmark)) == benchmark


def test_a_line_counts_for_its_own_cell_alone(tmp_path: Path) -> None:
    paths = [tmp_path / "run" / "replies" / arm / "seed-0" / "bad.jsonl" for arm in ("a", "b")]
    ledger.append(paths[0], [{"prompt_id": "p"}])
    paths[1].parent.mkdir(parents=True)
    paths[1].write_bytes(paths[0].read_bytes())
    assert list(ledger.read(paths[0]).records) == ["p"]
    assert [damage.reason for damage in ledger.read(paths[1]).damages] == ["torn or edited"]
    line = paths[1].read_bytes().strip()
    assert [ledger.is_of(line, path) for path in paths] == [True, False]


def test_a_run_folder_can_be_moved(tmp_path: Path) -> None:
    ledger.append(tmp_path / "one/scores/a/seed-0/bad.jsonl", [{"prompt_id": "p"}])
    (tmp_path / "one").rename(tmp_path / "two")
    assert ledger.read(tmp_path / "two/scores/a/seed-0/bad.jsonl").is_tidy


def test_lines_of_earlier_versions_are_read_and_gone_on_after(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(b'{"prompt_id": "a", "text": "said before", "checksum": "fbd6b8af73b7"}\n')
    ledger.append(path, [{"prompt_id": "b"}])
    contents = ledger.read(path)
    assert contents.records == {"a": {"prompt_id": "a", "text": "said before"}, "b": {"prompt_id": "b"}}
    assert (contents.unbound, contents.is_tidy) == (1, True)
