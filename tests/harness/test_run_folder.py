import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.errors import UserError
from harness.protocol import differences
from harness.provenance import here
from harness.run_folder import RunFolder
from harness.storage import StorageError, write_whole, writing
from tests.harness.fakes import FakeModel

Run = Callable[..., int]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(UserError) as told, RunFolder(tmp_path / "run").locked():
        pass
    assert str(told.value) == (
        f"Run folder '{tmp_path}/run' is in use by another process (pid {os.getpid()}). "
        "Wait for it to end, or choose another --output."
    )
    with folder.locked():
        assert folder.root.exists()


def test_a_changed_protocol_is_refused_with_what_changed(
    run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], model: FakeModel
) -> None:
    assert run_fakes("--methods", "p=prefix[strength=2]") == 0
    capfd.readouterr()
    model.batches.clear()
    assert run_fakes("--methods", "p=prefix[strength=3],q=prefix", "--max-new-tokens", "9", "--limit", "3") == 2
    told = capfd.readouterr().err.splitlines()
    assert told[0] == f"equipoise: The replies in '{tmp_path}/run' were made under another protocol:"
    assert told[1:3] == [
        "  arms.p.settings.strength: 2 -> 3",
        '  arms.q: absent -> {"method": "prefix", "settings": {"strength": 1}}',
    ]
    assert "  benchmarks.bad.prompts: 10 -> 3" in told
    assert "  generation.max_new_tokens: 512 -> 9" in told
    assert told[-1] == "Choose another --output, or give the old values to go on with this run."
    assert model.batches == []


@pytest.mark.parametrize(
    ("commit", "told"), [(None, "equipoise 0.1.0"), ("0123456789abcdef", "equipoise 0.1.0 (commit 0123456789)")]
)
def test_a_run_of_an_older_version_is_refused_in_one_line(
    commit: str | None, told: str, run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], model: FakeModel
) -> None:
    flags = ["--methods", "default", "--benchmarks", "facts"]
    assert run_fakes(*flags) == 0
    path = tmp_path / "run/run.json"
    header = json.loads(path.read_text())
    del header["protocol"]["model"]["system_prompt"]
    header["provenance"] |= {"versions": {"equipoise": "0.1.0"}, "git_hash": commit}
    path.write_text(json.dumps(header))
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    capfd.readouterr()
    model.batches.clear()
    assert run_fakes(*flags) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        f"equipoise: The replies in '{tmp_path}/run' were made by {told}, whose protocol has other entries than that "
        f"of {here()}. Choose another --output, or go on with that version."
    )
    assert model.batches == []
    assert {file: file.read_bytes() for file in before} == before


def test_other_weights_are_another_protocol(
    run_fakes: Run, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--methods", "default", "--benchmarks", "facts") == 0
    model.weight = 1
    assert run_fakes("--methods", "default", "--benchmarks", "facts") == 2
    assert "  model.weights: " in capfd.readouterr().err


def test_another_batch_size_is_the_same_protocol(run_fakes: Run) -> None:
    assert run_fakes("--methods", "default", "--benchmarks", "facts") == 0
    assert run_fakes("--methods", "default", "--benchmarks", "facts", "--batch-size", "1") == 0


def test_differences_name_every_leaf() -> None:
    old = {"same": 1, "inner": {"a": 1, "b": None}, "gone": [1]}
    new = {"same": 1, "inner": {"a": 2, "b": None}, "new": "x" * 100}
    assert list(differences(old, new)) == [
        "inner.a: 1 -> 2",
        "gone: [1] -> absent",
        'new: absent -> "' + "x" * 69 + "...",
    ]
    assert list(differences(old, old)) == []


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EFBIG, "a file grew larger than the file system, or a limit on this process, allows"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOTDIR, "a part of the path is a file, not a folder"),
    ],
)
def test_what_the_disk_refuses_is_told_in_one_line(number: int, reason: str) -> None:
    with pytest.raises(StorageError) as told, writing(Path("here")):
        raise OSError(number, "raw")
    assert str(told.value) == (
        f"Cannot write to 'here': {reason}. Replies that were saved before are kept. "
        "Mend this and run the same command again, or choose another --output."
    )


def test_an_error_that_is_no_refusal_passes_through() -> None:
    with pytest.raises(OSError, match="raw"), writing(Path("here")):
        raise OSError(errno.EINVAL, "raw")


def test_an_output_below_a_file_is_told(run_fakes: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run_fakes("--output", str(tmp_path / "file/run")) == 2
    expected = f"equipoise: Cannot write to '{tmp_path}/file/run': a part of the path is a file, not a folder. "
    assert capfd.readouterr().err.startswith(expected)


def test_a_full_disk_ends_the_run_and_keeps_what_was_written(
    run_fakes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    replies = tmp_path / "run/replies/default/seed-0/bad.jsonl"
    with monkeypatch.context() as patch:
        whole = os.fsync

        def full(number: int) -> None:
            if replies.exists() and len(replies.read_bytes().splitlines()) > 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            whole(number)

        patch.setattr(os, "fsync", full)
        assert run_fakes("--methods", "default,prefix") == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told.startswith(f"equipoise: Cannot write to '{replies.parent}': the disk is full. ")
    assert len(replies.read_bytes().splitlines()) == 8
    assert not (tmp_path / "run/failures").exists()
    assert run_fakes("--methods", "default,prefix") == 0


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    write_whole(path, b"old")

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        RunFolder(tmp_path).header()
    assert str(told.value) == (
        f"'{tmp_path}' is no run folder: it has no readable run.json. Give the --output of an 'equipoise run'."
    )
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(UserError) as told:
        RunFolder(tmp_path).header()
    assert str(told.value) == (
        f"'{tmp_path}' was made by equipoise of unknown version and has schema version 99; this is {here()}, which "
        "reads version 1. Use that version, or make the run anew."
    )


def test_prompts_that_were_changed_are_told(run_fakes: Run, tmp_path: Path) -> None:
    run_fakes("--methods", "default", "--benchmarks", "facts")
    folder = RunFolder(tmp_path / "run")
    path = folder.root / "benchmarks/facts.jsonl"
    old_hash = folder.header()["protocol"]["benchmarks"]["facts"]["hash"]
    path.write_text(path.read_text().replace("thing 3", "thing 4"))
    with pytest.raises(UserError) as told:
        folder.benchmark("facts", old_hash)
    assert str(told.value) == f"'{path}' was changed since the run. Run the same command again to write it anew."
    path.unlink()
    with pytest.raises(UserError) as told:
        folder.benchmark("facts", old_hash)
    assert str(told.value) == f"'{path}' cannot be read. Run the same command again to write it anew."
