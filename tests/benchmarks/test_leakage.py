from pathlib import Path

import pytest

from benchmarks.errors import UserError
from benchmarks.leakage import without_learnt
from benchmarks.registry import BENCHMARKS, load_alignment, load_benchmark


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_questions_that_were_learnt_are_not_asked_however_they_are_written(tmp_path: Path) -> None:
    learnt = write(tmp_path / "learnt.csv", "prompt,part\nTake a BISCUIT!,train\nHide  the spoon.,dev\n")
    data = load_alignment(f"file:{learnt}[intent=harmful,split=part]")
    tests = write(tmp_path / "tests.csv", "prompt\nTake a biscuit\nHide the spoon\nEat the cake\n")
    tricks = write(tmp_path / "tricks.csv", "id,text\n1,Sing: {question}\n")
    for options, left in (("", "Eat the cake"), (f",attack={tricks}", "Sing: Eat the cake")):
        kept = without_learnt(load_benchmark(f"file:{tests}[intent=harmful{options}]"), data)
        assert [prompt.messages[-1].content for prompt in kept.prompts] == [left]
        assert kept.dropped == 2
        assert kept.limited(1).dropped == 2


def test_a_benchmark_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "prompt\nTake a biscuit\nHide the spoon\n")
    data = load_alignment(f"file:{path}[intent=harmful]")
    with pytest.raises(UserError) as told:
        without_learnt(load_benchmark(f"file:{path}[intent=harmful,name=mine]"), data)
    assert str(told.value) == (
        f"All 2 questions of benchmark 'mine' are in the alignment data 'file:{path}[intent=harmful]'. "
        "Leave it out of --benchmarks, or choose other --data."
    )


def test_questions_without_letters_are_told_apart(tmp_path: Path) -> None:
    data = load_alignment(f"file:{write(tmp_path / 'a.csv', 'prompt' + chr(10) + '?!' + chr(10))}[intent=benign]")
    tests = write(tmp_path / "b.csv", "prompt\n!?\n学\n")
    assert without_learnt(load_benchmark(f"file:{tests}[intent=benign]"), data).dropped == 0


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_embedded_world_loses_nothing(name: str) -> None:
    benchmark = load_benchmark(name)
    assert without_learnt(benchmark, load_alignment("embedded")) == benchmark
