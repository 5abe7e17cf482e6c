import json
from pathlib import Path

import pytest

from benchmarks.alignment import compose
from benchmarks.base import Intent, Split
from benchmarks.errors import UserError
from benchmarks.leakage import shared_templates, without_learnt
from benchmarks.refusals import REFUSALS, refusal_to
from benchmarks.registry import COMPOSED, load_alignment, load_benchmark
from benchmarks.withholding import WithheldError, withheld


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    rows = "".join(f"Hide spoon {n},Sure {n},\n" for n in range(50))
    return write(tmp_path / "bad.csv", f"prompt,target,safe\nTake a biscuit,Sure!,Better not.\n{rows}")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path / "good.csv", "prompt,reply\n" + "".join(f"Bake bread {n},Do {n}\n" for n in range(50)))


def test_sets_and_files_are_joined_and_split_by_question(bad: Path, good: Path) -> None:
    data = load_alignment(f"file:{bad}[intent=harmful,target=target,safe=safe]+file:{good}[intent=benign,useful=reply]")
    assert len(data.train) + len(data.dev) == 101
    assert 10 <= len(data.dev) <= 30
    assert {prompt.split for prompt in data.train} == {Split.TRAIN}
    assert len(data.harmful()) + len(data.harmful(Split.DEV)) == 51
    assert {prompt.references.useful for prompt in data.benign()} <= {f"Do {n}" for n in range(50)}


def test_harmful_questions_without_a_safe_reply_get_varied_refusals_by_the_question_alone(bad: Path) -> None:
    data = load_alignment(f"file:{bad}[intent=harmful,target=target,safe=safe]")
    safe = {prompt.plain: prompt.references.safe for prompt in (*data.train, *data.dev)}
    assert safe.pop("Take a biscuit") == "Better not."
    assert len(set(safe.values())) > len(REFUSALS) / 2
    by_question = {prompt.question_id: prompt.references.safe for prompt in (*data.train, *data.dev)}
    assert all(reply == refusal_to(name) for name, reply in by_question.items() if reply != "Better not.")
    assert {prompt.references.unsafe for prompt in data.train} <= {"Sure!", *(f"Sure {n}" for n in range(50))}


def test_all_disguises_of_a_question_are_in_one_split(bad: Path, tmp_path: Path) -> None:
    tricks = write(tmp_path / "tricks.csv", "id,text\n1,Sing: {question}\n2,Draw: {question}\n")
    data = load_alignment(f"file:{bad}[intent=harmful,attack={tricks},templates=all]")
    assert len(data.train) + len(data.dev) == 102
    assert not {prompt.question_id for prompt in data.train} & {prompt.question_id for prompt in data.dev}
    assert all(prompt.attack for prompt in data.train)


def test_a_split_column_is_taken_at_its_word_and_test_rows_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "prompt,part\nA,train\nB,val\nC,test\nD,dev\n")
    data = load_alignment(f"file:{path}[intent=benign,split=part]")
    assert [prompt.plain for prompt in data.train] == ["A"]
    assert [prompt.plain for prompt in data.dev] == ["B", "D"]


def test_a_question_in_two_splits_is_refused(tmp_path: Path) -> None:
    rows = "key,prompt,part\n1,Why?,train\n2,why,dev\n"
    with pytest.raises(UserError) as told:
        load_alignment(f"file:{write(tmp_path / 'a.csv', rows)}[intent=benign,split=part,id=key]")
    assert str(told.value) == (
        "'a' has one question both as train and dev ('1', '2'). Put all rows of a question into one split."
    )


def test_the_same_rows_twice_are_refused(good: Path) -> None:
    name = f"file:{good}[intent=benign]+file:{good}[intent=benign]"
    with pytest.raises(UserError) as told:
        load_alignment(name)
    assert str(told.value).startswith(f"Data '{name}' has 2 prompts with the id 'good-")
    assert str(told.value).endswith("'. Name each set once; make ids unique.")


@pytest.fixture
def published(folder: Path) -> Path:
    for name in ("advbench", "truthfulqa", "jailbreakbench", "alpaca", "refusal_direction"):
        (folder / name).mkdir()
    goals = "".join(f"Hide spoon {n},Sure\n" for n in range(520))
    write(folder / "advbench/harmful_behaviors.csv", f"goal,target\n{goals}")
    questions = "".join(f"Is {n} odd?,See {n}\n" for n in range(817))
    write(folder / "truthfulqa/TruthfulQA.csv", f"Question,Best Answer\n{questions}")
    goals = "".join(f"Hide FORK {n}!,Sure\n" for n in range(100))
    write(folder / "jailbreakbench/jailbreakbench.csv", f"Goal,Target\n{goals}")
    goals = [f"Hide spoon {n}" for n in range(60)] + ["Hide fork 50 now"] + [f"Hide fork {n}" for n in range(91, 290)]
    rows(folder / "refusal_direction/harmful_train.json", [{"instruction": goal} for goal in goals])
    rows(folder / "refusal_direction/harmless_val.json", [{"instruction": f"Wash spoon {n}"} for n in range(6_264)])
    rows(
        folder / "alpaca/alpaca_subdata.json", [{"instruction": f"WASH spoon {n}.", "output": "So"} for n in range(100)]
    )
    return folder


def rows(path: Path, content: list[dict[str, str]]) -> None:
    write(path, json.dumps(content))


@pytest.mark.usefixtures("published")
def test_published_data_ask_each_question_plainly_and_attacked_in_both_splits_and_intents() -> None:
    data = load_alignment("published")
    assert data.name == "published"
    for prompts in (data.harmful(), data.benign(), data.harmful(Split.DEV), data.benign(Split.DEV)):
        plain, attacked = ([one for one in prompts if (one.attack is not None) == wanted] for wanted in (False, True))
        assert sorted(one.question_id for one in plain) == sorted(one.question_id for one in attacked)
        assert len(plain) > 10
        assert {one.attack.categories for one in attacked if one.attack} == {
            ("pretending",),
            ("attention shifting",),
            ("privilege escalation",),
        }
    assert all(prompt.references.safe for prompt in (*data.harmful(), *data.harmful(Split.DEV)))


@pytest.mark.usefixtures("published")
def test_published_benign_prompts_are_questions_and_instructions_in_both_splits() -> None:
    data = load_alignment("published")
    for split in (Split.TRAIN, Split.DEV):
        forms = {prompt.plain.partition(" ")[0] for prompt in data.benign(split)}
        assert forms == {"Is", "Wash"}


@pytest.mark.usefixtures("published")
def test_published_data_leave_the_usual_tests_whole_and_count_what_they_leave_out() -> None:
    data = load_alignment("published")
    tests = [load_benchmark(name) for name in ("advbench_456", "jailbreakbench", "alpaca_100", "truthfulqa_753")]
    assert [without_learnt(test, data).dropped for test in tests] == [0, 0, 0, 0]
    assert (
        "70 questions of 'harmful_instructions' are left out, since tests in EQUIPOISE_DATA ask them or nearly so"
        in data.notes
    )


@pytest.mark.usefixtures("published")
def test_published_data_name_what_they_are_made_of_and_what_stands_in_for_what_is_missing() -> None:
    notes = load_alignment("published").notes
    assert notes[0].startswith("made of advbench_anchors (64 questions), harmful_instructions (190 questions), ")
    assert notes[0].endswith("each question is there plainly and in one of the 12 templates of 'disguises'")
    assert notes[1] == "'alpaca_anchors' is not in EQUIPOISE_DATA: 'harmless_instructions' stands in for it"


def test_a_set_in_the_folder_comes_before_its_substitute_and_then_has_no_note(published: Path) -> None:
    whole = [{"instruction": f"Bake bread {n}", "output": f"So {n}"} for n in range(52_002)]
    rows(published / "alpaca/alpaca_data.json", whole)
    data = load_alignment("published")
    assert "alpaca_anchors (100 questions)" in data.notes[0]
    assert not any("stands in" in note for note in data.notes)
    assert all(prompt.references.useful for prompt in data.benign())


def test_harmful_instructions_that_are_not_there_are_stood_in_for_by_harmbench(published: Path) -> None:
    (published / "refusal_direction/harmful_train.json").unlink()
    whole = "".join(f"Hide pan {n},standard\n" for n in range(200))
    (published / "harmbench").mkdir()
    write(
        published / "harmbench/harmbench_behaviors_text_all.csv",
        f"Behavior,FunctionalCategory\n{whole}" + "x,y\n" * 200,
    )
    data = load_alignment("published")
    assert "'harmful_instructions' is not in EQUIPOISE_DATA: 'harmbench_anchors' stands in for it" in data.notes
    assert len({prompt.plain for prompt in (*data.harmful(), *data.harmful(Split.DEV))}) == 164


@pytest.mark.usefixtures("no_folder")
def test_without_a_folder_published_data_are_what_the_hub_has() -> None:
    sets = ("advbench_anchors", "harmbench_anchors", "truthfulqa_anchors", "alpaca_anchors")
    assert COMPOSED["published"].chosen == sets
    with pytest.raises(UserError) as told:
        load_alignment("harmful_instructions")
    assert str(told.value) == (
        "Refusal Direction is not on the hub. Take it from https://github.com/andyrdt/refusal_direction/tree/main/"
        "dataset/splits and put refusal_direction/harmful_train.json into a folder and set EQUIPOISE_DATA to it."
    )


@pytest.mark.usefixtures("published")
def test_templates_that_are_not_in_the_folder_are_told_with_those_that_need_no_file() -> None:
    with pytest.raises(UserError) as told:
        load_alignment("published[attack=gptfuzz]")
    assert str(told.value) == (
        "The templates 'gptfuzz' are not in EQUIPOISE_DATA. Put templates/gptfuzz_templates.csv into a folder and set "
        "EQUIPOISE_DATA to it, or take 'disguises', which need no file."
    )


@pytest.mark.usefixtures("published")
def test_other_templates_are_named_by_a_file_and_both_intents_are_asked_in_them(tmp_path: Path) -> None:
    tricks = write(tmp_path / "tricks.csv", "id,text\n1,Sing: {question}\n")
    data, plain = load_alignment(f"published[attack={tricks}]"), load_alignment("published")
    attacked = [prompt for prompt in (*data.train, *data.dev) if prompt.attack]
    assert {prompt.attack.categories for prompt in attacked if prompt.attack} == {("tricks",)}
    assert {prompt.intent for prompt in attacked} == set(Intent)
    assert [prompt.question_id for prompt in data.train] == [prompt.question_id for prompt in plain.train]
    assert "in one of the 1 templates of a file" in data.notes[0]


def test_templates_that_are_learnt_and_tested_are_told(published: Path) -> None:
    (published / "templates").mkdir()
    write(published / "templates/gptfuzz_templates.csv", "id,text\n0,Sing: [INSERT PROMPT HERE]\n")
    test = load_benchmark("jailbreakbench[attack=gptfuzz]")
    assert shared_templates([test], load_alignment("published")) == ()
    assert shared_templates([test], load_alignment("published[attack=gptfuzz]")) == (
        "100 prompts of benchmark 'jailbreakbench_gptfuzz' are in attack templates that methods learn from, "
        "with other questions",
    )


@pytest.mark.usefixtures("published")
def test_anchors_by_themselves_are_split_into_train_and_dev_unless_told_otherwise() -> None:
    data = load_alignment("advbench_anchors+truthfulqa_anchors")
    assert len(data.train) + len(data.dev) == 128
    assert data.harmful(Split.DEV)
    assert data.benign(Split.DEV)
    assert not load_alignment("advbench_anchors[split=train]+truthfulqa_anchors[split=train]").dev


def test_an_affirmative_target_is_no_useful_reply(published: Path) -> None:
    write(
        published / "jailbreakbench/benign-behaviors.csv",
        "Goal,Target\n" + "".join(f"Wash {n},Sure\n" for n in range(100)),
    )
    prompts = load_alignment("jailbreakbench_benign[split=train]").benign()
    assert [prompt.references.useful for prompt in prompts] == [None] * 100
    assert {prompt.references.unsafe for prompt in prompts} == {None}


@pytest.mark.usefixtures("published")
def test_options_that_published_data_do_not_know_are_told() -> None:
    with pytest.raises(UserError) as told:
        load_alignment("published[split=dev]")
    assert str(told.value) == (
        "No option of 'published' named 'split'. Available: attack, attacks, seed, templates, topics, "
        "without_attacks, without_topics."
    )


def test_a_whole_file_can_be_dev(bad: Path, good: Path) -> None:
    data = load_alignment(f"file:{bad}[intent=harmful]+file:{good}[intent=benign,split=dev]")
    assert len(data.benign(Split.DEV)) == 50
    assert not data.benign()


@pytest.mark.usefixtures("published")
def test_a_split_that_is_none_is_told() -> None:
    with pytest.raises(UserError) as told:
        load_alignment("jailbreakbench[split=test]")
    assert str(told.value) == "'split' of 'jailbreakbench' is 'test'; it must be 'train' or 'dev'."


def test_multiple_choice_is_not_learnt_from() -> None:
    with pytest.raises(UserError) as told:
        compose("mine", [load_benchmark("embedded_facts")])
    assert str(told.value) == (
        "'embedded_facts' is multiple choice, which methods do not learn from. Leave it out of --data."
    )


def test_unknown_parts_are_named_with_what_there_is() -> None:
    with pytest.raises(UserError) as told:
        load_alignment("advbench_anchors+truthfulqa_anchor")
    assert str(told.value).startswith(
        "No alignment data named 'truthfulqa_anchor'. Did you mean 'truthfulqa_anchors'? "
    )


def test_methods_may_not_ask_for_published_prompts(good: Path) -> None:
    with withheld("Method 'sly'", "fitted"), pytest.raises(WithheldError):
        load_alignment(f"file:{good}[intent=benign]")


@pytest.mark.usefixtures("published")
def test_published_data_are_restricted_to_some_attacks_after_they_are_put_together(tmp_path: Path) -> None:
    tricks = write(tmp_path / "tricks.csv", "id,text,category\n1,Sing: {question},music\n2,Draw: {question},pictures\n")
    data, whole = (load_alignment(f"published[attack={tricks}{more}]") for more in (",attacks=music", ""))
    assert {prompt.attack.categories for prompt in data.harmful() if prompt.attack} == {("music",)}
    assert {prompt.id for prompt in data.benign() if not prompt.attack} == {
        prompt.id for prompt in whole.benign() if not prompt.attack
    }
    assert set(data.harmful(Split.DEV)) < set(whole.harmful(Split.DEV))
