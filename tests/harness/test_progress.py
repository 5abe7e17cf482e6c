import pytest

from harness.progress import Display


def test_outside_a_terminal_every_stage_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    display = Display(is_interactive=False)
    with display.shown():
        with display.stage("half done", 3, 6) as advance:
            advance(3)
        with display.stage("done before", 6, 6):
            pass
        with display.fitting("dinm, seed 0") as progress:
            progress("editing", 1, 2)
    captured = capfd.readouterr()
    assert captured.out == ""
    told = [line.rpartition(" in ")[0] for line in captured.err.splitlines()]
    assert told == ["half done: 3 of 6", "dinm, seed 0: editing, 1 of 2", "dinm, seed 0: fitted"]


def test_outside_a_terminal_a_fit_tells_when_a_stage_ends_and_in_long_ones_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display = Display(is_interactive=False)
    with display.shown(), display.fitting("neurontune, seed 0") as progress:
        for number in range(19):
            progress("attributing", number, 19)
            now[0] += 12
        progress("attributing", 19, 19)
        progress("adapting", 0, 2)
        now[0] += 4000
        progress("adapting", 1, 2)
        progress("adapting", 1, 2)
        now[0] += 1
        progress("checking", 0, 1)
    told = capfd.readouterr().err.splitlines()
    assert told == [
        *(
            f"neurontune, seed 0: attributing, {number} of 19 after {clock}"
            for number, clock in ((3, "00:36"), (6, "01:12"), (9, "01:48"), (12, "02:24"), (15, "03:00"), (18, "03:36"))
        ),
        "neurontune, seed 0: attributing, 19 of 19 in 228.0 s",
        "neurontune, seed 0: adapting, 1 of 2 after 1:06:40",
        "neurontune, seed 0: adapting, 1 of 2 in 4001.0 s",
        "neurontune, seed 0: checking, 0 of 1 in 0.0 s",
        "neurontune, seed 0: fitted in 4229.0 s",
    ]


def test_a_fit_that_fails_is_not_said_to_have_finished_a_stage(capfd: pytest.CaptureFixture[str]) -> None:
    display = Display(is_interactive=False)
    with pytest.raises(ZeroDivisionError), display.shown(), display.fitting("dinm, seed 0") as progress:
        progress("editing", 1, 2)
        raise ZeroDivisionError
    assert capfd.readouterr().err == ""


def test_in_a_terminal_bars_show_counts_and_notes_stay(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    display = Display(is_interactive=True)
    with display.shown():
        with display.stage("[dinm], seed 0", 2, 6) as advance:
            advance(3)
            display.note("warning: [bold]\x1b[2J stays as it is")
        with display.fitting("dinm, seed 0") as progress:
            progress("editing", 1, 2)
            assert display._bars is not None
            (task,) = display._bars.tasks
            assert (task.description, task.completed, task.total) == ("dinm, seed 0, editing", 1, 2)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "warning: [bold]\\u001b[2J stays as it is" in captured.err
    assert "[dinm], seed 0" in captured.err


def test_a_stage_that_fails_lets_its_error_through(capfd: pytest.CaptureFixture[str]) -> None:
    for is_interactive in (True, False):
        display = Display(is_interactive=is_interactive)
        with pytest.raises(ZeroDivisionError), display.shown(), display.stage("x", 0, 3):
            raise ZeroDivisionError
    assert "x: " not in capfd.readouterr().err


def test_a_terminal_that_cannot_write_over_lines_is_told_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert Display().is_interactive
    for term in ("dumb", "unknown"):
        monkeypatch.setenv("TERM", term)
        assert not Display().is_interactive
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert not Display().is_interactive
