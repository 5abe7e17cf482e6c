from collections.abc import Callable
from pathlib import Path

import pytest

from harness.figure_files import file_names
from reports.figures import Plot
from tests.harness.made_runs import MadeArm, asked, make_run

Equipoise = Callable[..., int]
SETS = [asked("advbench", 8), asked("alpaca", 6)]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    arms = [
        MadeArm("default", "default", {"advbench": 2, "alpaca": 0}),
        MadeArm("dinm", "dinm", {"advbench": 6, "alpaca": 1}),
    ]
    return make_run(tmp_path / "run", arms, SETS)


def test_every_plot_is_written_as_svg_and_pdf_below_the_pages(
    made: Path, equipoise: Equipoise, capfd: pytest.CaptureFixture[str]
) -> None:
    assert equipoise("figures", str(made)) == 0
    names = ["advbench-alpaca", "advbench-refusal_rate", "alpaca-refusal_rate", "alpaca-entropy", "advbench-entropy"]
    names += ["spread-of-Entropy"]
    paths = [made / "report" / "figures" / f"{name}.{form}" for name in names for form in ("svg", "pdf")]
    assert capfd.readouterr().out.splitlines() == [str(path) for path in paths]
    assert all(path.read_bytes().startswith((b"<?xml", b"%PDF")) for path in paths)


def test_figures_of_another_judge_lie_beside_and_those_of_a_named_folder_there(
    made: Path, tmp_path: Path, equipoise: Equipoise
) -> None:
    assert equipoise("figures", str(made), "--judge", "gcg") == 0
    assert len(list((made / "report" / "gcg" / "figures").iterdir())) == 12
    assert equipoise("figures", str(made), "--column", "double", "--output", str(tmp_path / "mine")) == 0
    assert b"/MediaBox [ 0 0 486 " in (tmp_path / "mine" / "advbench-alpaca.pdf").read_bytes()
    assert not (made / "report" / "figures").exists()


def test_a_run_without_numbers_has_nothing_to_draw(
    tmp_path: Path, equipoise: Equipoise, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run", [MadeArm("default", "default", {})], SETS)
    assert equipoise("figures", str(folder)) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        f"equipoise: '{folder}' has nothing to draw: no arm has finished a benchmark that is answered in words. "
        "Finish the run: the same command goes on."
    )


def test_mistakes_are_one_line(made: Path, equipoise: Equipoise, capfd: pytest.CaptureFixture[str]) -> None:
    assert equipoise("figures", str(made.parent)) == 2
    assert "is no run folder: it has no readable run.json" in capfd.readouterr().err
    assert equipoise("figures", str(made), "--column", "singel") == 2
    assert capfd.readouterr().err == (
        "equipoise: No column named 'singel'. Did you mean 'single'? Available: double, single.\n"
    )
    (made.parent / "file").write_text("")
    assert equipoise("figures", str(made), "--output", str(made.parent / "file")) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"equipoise: Cannot write to '{made.parent / 'file'}': ") and told.count("\n") == 1


def test_names_of_files_are_safe_and_differ_on_every_disk() -> None:
    def plot(key: str) -> Plot:
        return Plot(key, "", "", 1, 1, lambda _: None, "")

    keys = ["a+b", "a/b", "A b", "../../etc", "\u5b89", "", "x.y" * 99, "x.y" * 98]
    names = file_names([plot(key) for key in keys])
    assert names[:6] == ["a-b", "a-b-2", "A-b-3", "etc", "figure", "figure-2"]
    assert len({name.lower() for name in names}) == len(keys) and max(map(len, names)) <= 82
