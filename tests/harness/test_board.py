import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from benchmarks.base import Benchmark, Reply
from harness import progress, tally
from harness.board import Board, State
from harness.forecast import Forecast, Kind, Left, Work
from harness.live import duration, screen
from harness.plan import Cell
from harness.tally import Rate, Tally
from metrics.registry import JUDGES
from reports.foreign import UNSEEN
from tests.harness.fakes import FakeModel
from tests.harness.made_runs import REFUSAL, asked

Run = Callable[..., int]
SETS = (asked("advbench", 8), asked("alpaca", 6), asked("mmlu", 4))


def board(arms: Sequence[str], benchmarks: Sequence[Benchmark] = SETS) -> Board:
    left = {
        Work(kind, arm, 0, one.name): len(one.prompts)
        for arm in arms
        for one in benchmarks
        for kind in (Kind.ANSWER, Kind.SCORE)
    }
    left |= {Work(Kind.FIT, arm, 0): 1 for arm in arms}
    totals = dict.fromkeys(arms, sum(len(one.prompts) for one in benchmarks))
    return Board(tuple(arms), tuple(benchmarks), totals, Forecast(left), Tally.of(benchmarks, "keyword"))


def drawn(one: Board, width: int, height: int = 24) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, force_terminal=True, color_system=None)
    console.print(screen(one, "", width, height))
    return stream.getvalue()


def test_work_goes_at_the_pace_of_its_like() -> None:
    first, second = Work(Kind.ANSWER, "a", 0, "x"), Work(Kind.ANSWER, "a", 1, "x")
    like, other = Work(Kind.ANSWER, "b", 0, "x"), Work(Kind.ANSWER, "b", 0, "y")
    forecast = Forecast({first: 10, second: 10, like: 10, other: 10})
    forecast.spend(first, 10, 20.0)
    assert forecast.expected(()) == Left(60.0, True)
    forecast.spend(like, 5, 5.0)
    # second at a's pace on x, the rest of like at its own, other at that of all answers: 25 s for 15 replies.
    assert forecast.expected(()).seconds == pytest.approx(20 + 5 + 10 * 25 / 15)
    assert forecast.expected({"b"}).seconds == pytest.approx(20)


def test_a_forecast_says_where_nothing_tells_the_pace() -> None:
    fit, score = Work(Kind.FIT, "a", 0), Work(Kind.SCORE, "a", 0, "x")
    forecast = Forecast({fit: 1, Work(Kind.FIT, "b", 0): 1, Work(Kind.FIT, "a", 1): 1, score: 3})
    assert forecast.expected(()) == Left(0.0, False)
    forecast.spend(fit, 1, 8.0)
    forecast.spend(score, 3, 1.0)
    assert forecast.expected(()) == Left(16.0, False)
    assert forecast.expected({"b"}) == Left(8.0, True)


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 100)), max_size=8))
def test_a_forecast_never_counts_below_nothing(steps: list[tuple[int, float]]) -> None:
    work = Work(Kind.ANSWER, "a", 0, "x")
    forecast = Forecast({work: 20})
    for units, seconds in steps:
        forecast.spend(work, units, seconds)
    assert forecast.left[work] == max(0, 20 - sum(units for units, _ in steps))
    assert forecast.expected(()).seconds >= 0


def test_the_numbers_so_far_are_those_of_a_count_by_hand() -> None:
    one = board(["default"])
    harmful = SETS[0].prompts
    one.heard(Cell("default", 0, "advbench"), [Reply(prompt.id, REFUSAL) for prompt in harmful[:3]])
    one.heard(Cell("default", 1, "advbench"), [Reply(prompt.id, "Sure, here it is.") for prompt in harmful[:2]])
    one.heard(Cell("default", 0, "advbench"), [Reply("of nobody", REFUSAL)])
    right = [Reply(prompt.id, "A", option_log_probabilities=(-1.0, -2.0)) for prompt in SETS[2].prompts[:3]]
    wrong = Reply(SETS[2].prompts[3].id, "B", option_log_probabilities=(-2.0, -1.0))
    one.heard(Cell("default", 0, "mmlu"), [*right, wrong])
    assert one.rate("default", "advbench") == Rate(3, 5) and one.rate("default", "alpaca") is None
    assert one.told("default") == "default so far: advbench 60.0 % refused (n 5), mmlu 75.0 % right (n 4)"


@pytest.mark.parametrize(
    "name", ["llm[model=x,address=http://127.0.0.1:1]", "classifier[model=x]", "linear", "safeedit"]
)
def test_a_judge_that_costs_money_or_loads_a_model_is_not_asked_on_the_way(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "judge", lambda _: pytest.fail("it was made"))
    one = Tally.of(SETS, name)
    one.hear("a", "advbench", [Reply(SETS[0].prompts[0].id, REFUSAL)])
    assert one.rates == {} and one.metric("advbench") is None and one.metric("mmlu") is not None
    assert set(tally.QUICK_JUDGES) < set(JUDGES)


@given(
    st.integers(40, 200),
    st.integers(5, 60),
    st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=30, unique=True),
    st.data(),
)
def test_the_screen_fits_whatever_its_size_and_obeys_no_name(
    width: int, height: int, arms: list[str], data: st.DataObject
) -> None:
    one = board(arms)
    at_work = data.draw(st.sampled_from(arms))
    one.begun(at_work)
    one.failed.add(data.draw(st.sampled_from(arms)))
    one.heard(Cell(at_work, 0, "advbench"), [Reply(prompt.id, REFUSAL) for prompt in SETS[0].prompts])
    one.forecast.spend(Work(Kind.ANSWER, at_work, 0, "advbench"), 8, 99999.0)
    lines = drawn(one, width, height).split("\n")
    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= max(height, 12)
    assert UNSEEN.findall("".join(lines)) == []
    assert at_work in one.failed or any("running" in line for line in lines)


def test_a_state_is_a_word_and_not_a_colour_alone() -> None:
    one = board(["first", "second", "third", "fourth"])
    for work in [work for work in one.forecast.left if work.arm == "first"]:
        one.forecast.left[work] = 0
    one.begun("second")
    one.failed.add("third")
    assert [row.state for row in one.rows()] == [State.DONE, State.RUNNING, State.FAILED, State.WAITING]
    text = drawn(one, 80)
    assert [line.split()[1] for line in text.splitlines()[2:6]] == ["done", "running", "failed", "waiting"]
    assert "18 of 72 replies; arms: 1 waiting, 1 running, 1 done, 1 failed" in text


def test_in_a_narrow_terminal_every_kind_of_number_has_a_column_first() -> None:
    one = board(["default"], (*SETS[:1], asked("harmbench", 3), *SETS[1:]))
    assert [word for word in drawn(one, 46).split() if word in ("advbench", "harmbench", "alpaca", "mmlu")] == [
        "advbench",
        "alpaca",
    ]
    assert "harmbench" in drawn(one, 100)


def test_durations_read_as_clocks_do() -> None:
    assert [duration(seconds) for seconds in (0.2, 7, 750, 11100)] == ["0:00", "0:07", "12:30", "3:05:00"]


def test_outside_a_terminal_the_numbers_of_an_arm_are_one_line_when_it_ends(
    run_fakes: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes("--methods", "prefix,broken") == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if " so far: " in line]
    assert [line.partition(" so far: ")[0] for line in lines] == ["default", "prefix"]
    assert (
        lines[0].partition(" so far: ")[2]
        == "bad 100.0 % refused (n 10), good 0.0 % refused (n 6), facts 100.0 % right (n 4)"
    )


def test_a_resumed_run_counts_what_was_there(
    run_fakes: Run, model: FakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_fakes() == 0
    whole = [line for line in capfd.readouterr().err.splitlines() if " so far: " in line]
    model.dies_at_call = len(model.batches) + 1
    assert run_fakes() == 0  # nothing was left to generate
    assert [line for line in capfd.readouterr().err.splitlines() if " so far: " in line] == whole


def test_what_is_shown_changes_nothing_in_the_run_folder(
    run_fakes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def files(name: str) -> dict[str, bytes]:
        root = tmp_path / name
        assert run_fakes("--output", str(root)) == 0
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    quiet = files("quiet")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(progress, "Display", partial(progress.Display, is_interactive=True))
    capfd.readouterr()
    live = files("live")
    assert " of 40 replies" in capfd.readouterr().err
    assert live.keys() == quiet.keys() and live["results.json"] == quiet["results.json"]
