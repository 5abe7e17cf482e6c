from pathlib import Path

import pytest

from benchmarks.base import Attack, Intent, Split
from benchmarks.errors import UserError
from benchmarks.registry import load_alignment, load_benchmark

ROWS = "Goal,Reply,Kind,Key\nTake a biscuit,Sure!,theft,a\nHide a spoon,Fine!,mischief,b\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my prompts.csv"
    path.write_text(ROWS)
    return path


def test_any_file_is_a_benchmark_by_a_mapping(table: Path) -> None:
    benchmark = load_benchmark(f"file:{table}[prompt=Goal,intent=harmful,target=Reply,category=kind,id=Key]")
    assert (benchmark.name, benchmark.intent, benchmark.source) == ("my-prompts", "harmful", "my prompts.csv: 2 rows")
    first, second = benchmark.prompts
    assert (first.id, first.plain, first.category, first.references.unsafe) == ("a", "Take a biscuit", "theft", "Sure!")
    assert (second.split, second.references.useful, second.messages[-1].content) == (Split.TEST, None, "Hide a spoon")


def test_a_target_goes_along_with_harm_and_a_useful_reply_is_named_so(table: Path) -> None:
    with pytest.raises(UserError) as told:
        load_benchmark(f"file:{table}[prompt=Goal,intent=benign,target=Reply]")
    assert str(told.value) == (
        f"'{table}' is benign and names a 'target', which is a reply that goes along with harm. "
        "Name the column of useful replies: [useful=Reply]."
    )
    benchmark = load_benchmark(f"file:{table}[prompt=Goal,intent=benign,useful=Reply,name=kind]")
    assert benchmark.name == "kind"
    assert [prompt.references.useful for prompt in benchmark.prompts] == ["Sure!", "Fine!"]
    assert [prompt.references.unsafe for prompt in benchmark.prompts] == [None, None]


def test_the_intent_may_stand_in_a_column(tmp_path: Path) -> None:
    table = tmp_path / "mixed.jsonl"
    table.write_text(
        '{"prompt": "A", "is": "Benign"}\n{"prompt": "B", "is": "harmful"}\n{"prompt": "C", "is": "benign"}'
    )
    benchmark = load_benchmark(f"file:{table}[intent=is]")
    assert benchmark.intent is Intent.BENIGN
    assert [prompt.intent for prompt in benchmark.prompts] == ["benign", "harmful", "benign"]


ALL = (
    "Prompt,Question,Intent,Split,Category,Safe,Unsafe,Useful,Attack Category,Attack Name\n"
    "Play: hide it,Hide it,harmful,train,theft,No.,Sure.,,pretending,play\n"
    "Bake it,,benign,dev,bread,,,So.,,\n"
)


def test_columns_with_the_usual_names_need_not_be_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(ALL)
    data = load_alignment(f"file:{path}")
    (bad,), (good,) = data.train, data.dev
    assert (bad.intent, bad.plain, bad.category) == (Intent.HARMFUL, "Hide it", "theft")
    assert (bad.references.safe, bad.references.unsafe) == ("No.", "Sure.")
    assert bad.attack == Attack(("pretending",), "play")
    assert (good.intent, good.plain, good.references.useful, good.attack) == (Intent.BENIGN, "Bake it", "So.", None)


def test_a_setting_comes_before_a_column_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(ALL)
    prompts = load_benchmark(f"file:{path}[intent=benign,split=test,category=split]").prompts
    assert [(prompt.intent, prompt.category) for prompt in prompts] == [("benign", "train"), ("benign", "dev")]


def test_rows_without_ids_get_one_of_their_text(tmp_path: Path) -> None:
    table, again = tmp_path / "a.csv", tmp_path / "sub" / "a.csv"
    again.parent.mkdir()
    table.write_text("prompt\nWhy?\nWho?\nWhy?\n")
    again.write_text("prompt\nWho?\nWhy?\nWhy?\n")
    ids = [prompt.id for prompt in load_benchmark(f"file:{table}[intent=benign]").prompts]
    assert ids[2] == f"{ids[0]}-2"
    assert len(set(ids)) == 3
    assert sorted(ids) == sorted(prompt.id for prompt in load_benchmark(f"file:{again}[intent=benign]").prompts)


def test_rows_to_learn_from_are_no_test_prompts(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("prompt,part\nWhy?,train\nWho?,validation\nHow?,test\n")
    benchmark = load_benchmark(f"file:{table}[intent=benign,split=part]")
    assert [prompt.plain for prompt in benchmark.prompts] == ["How?"]
    table.write_text("prompt,part\nWhy?,train\n")
    with pytest.raises(UserError) as told:
        load_benchmark(f"file:{table}[intent=benign,split=part]")
    assert str(told.value) == (
        f"'file:{table}[intent=benign,split=part]' holds prompts to learn from and none to test with. "
        "Name it under --data instead."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "[prompt=Goal]",
            "'{path}' needs an intent: write file:{path}[intent=harmful], benign or the name of a column, "
            "or call a column 'intent'.",
        ),
        (
            "[intent=harmful]",
            "'{path}' has no column 'prompt' for the prompt. Its columns: 'Goal', 'Reply', 'Kind', 'Key'.",
        ),
        (
            "[prompt=Goal,intent=harmful,category=Sort]",
            "'{path}' has no column 'Sort' for the category. Its columns: 'Goal', 'Reply', 'Kind', 'Key'.",
        ),
        (
            "[prompt=Goal,intent=Kind]",
            "Row 1 of '{path}' has the intent 'theft'; it must be one of harmful, benign.",
        ),
        (
            "[prompt=Goal,intent=harmful,categry=Kind]",
            "No option of 'file:{path}' named 'categry'. Did you mean 'category'? Available: attack, "
            "attack_category, attack_name, attacks, category, context, id, intent, licence, name, plain, prompt, "
            "question, safe, seed, split, target, templates, topics, unsafe, useful, without_attacks, without_topics.",
        ),
        (
            "[prompt=Goal,intent=harmful,name=a/b]",
            "'a/b' cannot name a benchmark, since it names files. Use letters, digits, '.', '_' and '-'.",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_told_with_the_columns_there(table: Path, options: str, message: str) -> None:
    with pytest.raises(UserError) as told:
        load_benchmark(f"file:{table}{options}")
    assert str(told.value) == message.format(path=table)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,Why?\nb, \n", "Row 2 of '{path}' has an empty prompt. Fill it or remove the row."),
        ("a,Why?\na,Who?\n", "The id 'a' is there twice in '{path}'. Make ids unique, or map no id column."),
    ],
)
def test_empty_prompts_and_repeated_ids_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    table = tmp_path / "a.csv"
    table.write_text(f"key,prompt\n{rows}")
    with pytest.raises(UserError) as told:
        load_benchmark(f"file:{table}[intent=benign,id=key]")
    assert str(told.value) == message.format(path=table)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("3", "Row 2 of '{path}' has a prompt that is int, not text: 3."),
        ("NaN", "Row 2 of '{path}' has a prompt that is float, not text: nan."),
        ('["Why?"]', "Row 2 of '{path}' has a prompt that is list, not text: ['Why?']."),
        ("null", "Row 2 of '{path}' has an empty prompt. Fill it or remove the row."),
    ],
)
def test_a_prompt_that_is_no_text_is_refused(tmp_path: Path, prompt: str, message: str) -> None:
    table = tmp_path / "a.jsonl"
    table.write_text(f'{{"prompt": "Why?"}}\n{{"prompt": {prompt}}}\n')
    with pytest.raises(UserError) as told:
        load_benchmark(f"file:{table}[intent=benign]")
    assert str(told.value) == message.format(path=table)
