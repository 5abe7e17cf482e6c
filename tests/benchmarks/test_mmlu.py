import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.base import Benchmark, Choices, Kind
from benchmarks.mmlu import DEV, TEST, FewShot, ZeroShot
from benchmarks.sources import Source

ROWS = {
    "test": {
        "world_rivers": ['" Which flows, then?",Aven,Brook,Clyde,Dower,C', "What ends?,sea,lake,sky,hill,A"],
        "art": ["Who paints?,cat,dog,eel,fox,D"],
    },
    "dev": {"world_rivers": ["What is wet?,1,2,3,4,B", "What is dry?,5,6,7,8,D"], "art": ["Who sings?,a,b,c,d,A"]},
}
FIVE_SHOT = (
    "The following are multiple choice questions (with answers) about world rivers.\n\n"
    "What is wet?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B\n\n"
    "What is dry?\nA. 5\nB. 6\nC. 7\nD. 8\nAnswer: D\n\n"
    "Which flows, then?\nA. Aven\nB. Brook\nC. Clyde\nD. Dower\nAnswer:"
)
CHAT = (
    "Here is a question about art.\n\nWho paints?\nA. cat\nB. dog\nC. eel\nD. fox\n\n"
    "Answer with the letter of the right option alone."
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the authors' archive has it: a file a subject, without header lines."""
    for split, subjects in ROWS.items():
        for subject, lines in subjects.items():
            path = tmp_path / "mmlu" / f"mmlu_{split}" / f"{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path))
    return tmp_path


def few_shot(source: Source = TEST) -> Benchmark:
    return FewShot("MMLU").load("mmlu", source, any_rows=True)


@pytest.mark.usefixtures("folder")
def test_a_question_comes_after_the_solved_ones_of_its_subject() -> None:
    benchmark = few_shot()
    (prompt,) = (prompt for prompt in benchmark.prompts if prompt.id == "mmlu-world_rivers-0")
    assert "".join(message.content for message in prompt.messages) == FIVE_SHOT
    assert [message.role for message in prompt.messages] == ["system", *["user", "assistant"] * 2, "user"]
    assert (benchmark.kind, prompt.is_raw, prompt.category) == (Kind.MULTIPLE_CHOICE, True, "world_rivers")
    assert prompt.choices == Choices(("Aven", "Brook", "Clyde", "Dower"), 2)


@pytest.mark.usefixtures("folder")
def test_the_same_question_is_asked_in_a_chat_turn_without_any_solved_one() -> None:
    benchmark = ZeroShot("MMLU").load("mmlu_zero_shot", TEST, any_rows=True)
    (prompt,) = (prompt for prompt in benchmark.prompts if prompt.category == "art")
    assert [(message.role, message.content) for message in prompt.messages] == [("user", CHAT)]
    assert (benchmark.kind, prompt.is_raw) == (Kind.WRITTEN_CHOICE, False)
    assert {one.question_id for one in benchmark.prompts} == {one.question_id for one in few_shot().prompts}


@pytest.mark.usefixtures("folder")
def test_fewer_shots_are_the_first_ones() -> None:
    benchmark = FewShot("MMLU", shots=1).load("mmlu", TEST, any_rows=True)
    texts = ["".join(message.content for message in prompt.messages) for prompt in benchmark.prompts]
    assert sum("What is wet?" in text for text in texts) == 2
    assert not any("What is dry?" in text for text in texts)


def test_all_questions_are_there_in_57_subjects_with_five_solved_ones_each() -> None:
    if not (Path(os.environ.get("EQUIPOISE_DATA", "nowhere")) / "mmlu").is_dir():
        pytest.skip("EQUIPOISE_DATA names no folder with mmlu/mmlu_test and mmlu/mmlu_dev")
    prompts = FewShot("MMLU").load("mmlu", TEST, any_rows=False).prompts
    assert len(prompts) == len({prompt.id for prompt in prompts}) == 14_042
    assert len({prompt.category for prompt in prompts}) == 57
    assert {len(prompt.messages) for prompt in prompts} == {12}
    assert DEV.rows == (285,)
    right = Counter(prompt.choices.answer for prompt in prompts if prompt.choices)
    assert sum(right.values()) == 14_042 and set(right) == {0, 1, 2, 3}
