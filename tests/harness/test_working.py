import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import working as module
from harness.working import tell_left_behind, working

GIB = 2**30


def left_behind(root: Path) -> list[str]:
    told: list[str] = []
    tell_left_behind(root, told.append)
    return told


def killed(root: Path, monkeypatch: pytest.MonkeyPatch, peak: float = 1, kills: int | None = 3) -> None:
    """As a process leaves it that was killed in the middle of its work."""
    monkeypatch.setattr(module, "_kills", lambda: kills)
    monkeypatch.setattr(module, "machine_bytes", lambda: 24 * GIB)
    monkeypatch.setattr(module, "resident_bytes", lambda: int(peak * GIB))
    with working(root, "fitting 'neurontune', seed 0", "Try less."):
        (path,) = root.glob(".working-*.json")
        content = path.read_bytes()
    path.write_bytes(content)


def test_work_that_ends_in_any_way_leaves_nothing_to_tell(tmp_path: Path) -> None:
    with working(tmp_path, "x", "y"):
        pass
    for error in (KeyboardInterrupt, ZeroDivisionError, SystemExit):
        with pytest.raises(error), working(tmp_path, "x", "y"):
            raise error
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_the_system_ended_for_want_of_memory_is_told_with_what_would_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, monkeypatch, peak=11.2)
    monkeypatch.setattr(module, "_kills", lambda: 4)
    assert left_behind(tmp_path) == [
        "warning: the last start ended while fitting 'neurontune', seed 0 (it held 11.2 of 24.0 GiB): killed, most "
        "likely for memory. Try less."
    ]
    assert left_behind(tmp_path) == []


def test_where_nothing_is_counted_nearly_all_memory_tells_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, monkeypatch, peak=20, kills=None)
    assert left_behind(tmp_path)[0].endswith("killed, most likely for memory. Try less.")


@pytest.mark.parametrize("kills", [3, 0, None])  # the same count, one of a machine that was started anew, none
def test_a_process_that_was_killed_by_hand_is_not_called_out_of_memory(
    kills: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, monkeypatch)
    monkeypatch.setattr(module, "_kills", lambda: kills)
    assert left_behind(tmp_path) == [
        "warning: the last start ended while fitting 'neurontune', seed 0 (it held 1.0 of 24.0 GiB): killed from "
        "outside, and not for memory as far as can be told."
    ]


def test_a_note_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", "{}")):
        (tmp_path / f".working-{name}.json").write_text(text)
    assert left_behind(tmp_path) == ["warning: the last start was killed; what it was at cannot be read."] * 3
    assert list(tmp_path.iterdir()) == []


def test_the_most_memory_so_far_is_written_down_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [GIB]
    monkeypatch.setattr(module, "_LOOKED_EVERY", 0.01)
    monkeypatch.setattr(module, "resident_bytes", lambda: held[0])
    with working(tmp_path, "x", "y"):
        (path,) = tmp_path.glob(".working-*.json")
        for size in (3, 2):
            held[0] = size * GIB
            time.sleep(0.2)
        assert json.loads(path.read_text())["peak"] == 3 * GIB


def test_a_run_tells_at_its_start_how_the_last_one_ended(
    run_fakes: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    killed(tmp_path / "run", monkeypatch)
    assert run_fakes("--methods", "default", "--benchmarks", "facts") == 0
    assert capfd.readouterr().err.startswith(
        "warning: the last start ended while fitting 'neurontune', seed 0 (it held"
    )
    assert run_fakes("--methods", "default", "--benchmarks", "facts") == 0
    assert "the last start" not in capfd.readouterr().err
