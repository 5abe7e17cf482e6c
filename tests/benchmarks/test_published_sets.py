import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.base import Intent, Kind, Split
from benchmarks.errors import UserError
from benchmarks.published.sets import PUBLISHED
from benchmarks.published.subsets import Subset
from benchmarks.registry import load_benchmark

Hub = Callable[..., None]
Rows = Sequence[Mapping[str, object]]
SUBJECTS = ("anatomy", "virology")


def write_csv(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_json(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def renamed(rows: Rows, names: Mapping[str, str]) -> Rows:
    """As the hub has them: other names of columns, and another order of rows."""
    return [{names[key]: value for key, value in row.items() if key in names} for row in reversed(rows)]


ADVBENCH = [{"goal": f"Hide spoon {n}", "target": f"Sure, spoon {n}"} for n in range(520)]
TRUTHFULQA = [
    {"Type": "x", "Category": "Myths", "Question": f"Is {n} odd?", "Best Answer": f"See {n}", "Source": "s"}
    for n in range(817)
]
XSTEST = [
    {"id": n, "prompt": f"How to kill process {n}?", "type": "homonyms", "label": "safe" if n < 250 else "unsafe"}
    for n in range(450)
]
GOALS = [
    {"": n, "Goal": f"Hide fork {n}", "Target": f"Sure, fork {n}", "Behavior": "b", "Category": "Theft"}
    for n in range(100)
]
REJECT = [{"category": "Theft", "source": "s", "forbidden_prompt": f"Hide cup {n}"} for n in range(313)]
BEHAVIOURS = [
    {"Behavior": f"Hide pan {n}", "FunctionalCategory": kind, "SemanticCategory": "theft", "BehaviorID": n}
    for n, kind in enumerate(["standard"] * 200 + ["copyright"] * 100 + ["contextual"] * 100)
]
HARD = [{"prompt": f"How to shoot film {n}?", "category": "violence"} for n in range(1_319)]
SAME = {"prompt": "prompt", "category": "category"}
BOTH_SHAPES: dict[str, tuple[str, Rows, str, str | None, str, Mapping[str, str]]] = {
    "advbench": (
        "advbench/harmful_behaviors.csv",
        ADVBENCH,
        "walledai/AdvBench",
        None,
        "train",
        {"goal": "prompt", "target": "target"},
    ),
    "advbench_456": (
        "advbench/harmful_behaviors.csv",
        ADVBENCH,
        "walledai/AdvBench",
        None,
        "train",
        {"goal": "prompt", "target": "target"},
    ),
    "truthfulqa_753": (
        "truthfulqa/TruthfulQA.csv",
        TRUTHFULQA,
        "truthfulqa/truthful_qa",
        "generation",
        "validation",
        {"Question": "question", "Best Answer": "best_answer", "Category": "category"},
    ),
    "xstest_safe": (
        "xstest/xstest_prompts.csv",
        XSTEST,
        "walledai/XSTest",
        None,
        "test",
        {"prompt": "prompt", "type": "type", "label": "label"},
    ),
    "xstest_unsafe": (
        "xstest/xstest_prompts.csv",
        XSTEST,
        "walledai/XSTest",
        None,
        "test",
        {"prompt": "prompt", "type": "type", "label": "label"},
    ),
    "jailbreakbench": (
        "jailbreakbench/jailbreakbench.csv",
        GOALS,
        "JailbreakBench/JBB-Behaviors",
        "behaviors",
        "harmful",
        {"": "Index", "Goal": "Goal", "Target": "Target", "Category": "Category"},
    ),
    "jailbreakbench_benign": (
        "jailbreakbench/benign-behaviors.csv",
        GOALS,
        "JailbreakBench/JBB-Behaviors",
        "behaviors",
        "benign",
        {"Goal": "Goal", "Target": "Target", "Category": "Category"},
    ),
    "strongreject": (
        "strongreject/strongreject_dataset.csv",
        REJECT,
        "walledai/StrongREJECT",
        None,
        "train",
        {"forbidden_prompt": "prompt", "category": "category"},
    ),
    "orbench_hard": ("orbench/or-bench-hard-1k.csv", HARD, "bench-llm/or-bench", "or-bench-hard-1k", "train", SAME),
    "orbench_toxic": (
        "orbench/or-bench-toxic.csv",
        HARD[:655],
        "bench-llm/or-bench",
        "or-bench-toxic",
        "train",
        SAME,
    ),
}


@pytest.mark.parametrize("name", BOTH_SHAPES)
def test_a_set_has_the_same_prompts_from_the_folder_and_from_the_hub(
    name: str, folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, rows, repository, config, split, names = BOTH_SHAPES[name]
    write_csv(folder / file, rows)
    local = load_benchmark(name)
    monkeypatch.delenv("EQUIPOISE_DATA")
    hub(repository, split, renamed(rows, names), config=config)
    remote = load_benchmark(name)
    assert local.content_hash == remote.content_hash
    assert local.prompts
    assert {prompt.intent for prompt in local.prompts} == {PUBLISHED[name].intent}
    assert local.source != remote.source


def test_harmbench_is_its_standard_behaviours(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(folder / "harmbench/harmbench_behaviors_text_all.csv", BEHAVIOURS)
    local = load_benchmark("harmbench")
    assert len(local.prompts) == 200
    monkeypatch.delenv("EQUIPOISE_DATA")
    names = {"Behavior": "prompt", "SemanticCategory": "category"}
    hub("walledai/HarmBench", "train", renamed(BEHAVIOURS[:200], names), config="standard")
    assert load_benchmark("harmbench").content_hash == local.content_hash


def test_alpaca_100_is_a_draw_from_all_or_the_file_of_a_hundred(
    folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"instruction": f"Count to {n}.", "input": "Slowly." if n % 2 else "", "output": f"1 to {n}"}
        for n in range(52_002)
    ]
    write_json(folder / "alpaca/alpaca_subdata.json", rows[:100])
    small = load_benchmark("alpaca_100").prompts
    assert sorted(prompt.references.useful or "" for prompt in small) == sorted(f"1 to {n}" for n in range(100))
    assert {"Count to 3.\n\nSlowly.", "Count to 2."} <= {prompt.plain for prompt in small}
    hub("tatsu-lab/alpaca", "train", rows)
    anchors = PUBLISHED["alpaca_anchors"]
    more = anchors.load("alpaca_anchors", anchors.source, any_rows=False)
    assert more.source == "Alpaca: 52,002 rows of tatsu-lab/alpaca, train, at its pinned commit"
    monkeypatch.delenv("EQUIPOISE_DATA")
    drawn = load_benchmark("alpaca_100").prompts
    assert not {prompt.id for prompt in drawn} & {prompt.id for prompt in more.prompts}
    assert len(drawn) == 100
    assert len({prompt.id for prompt in drawn} & {prompt.id for prompt in small}) < 10


def safeedit_row(number: int) -> dict[str, object]:
    return {
        "id": number,
        "unsafety category": "Mischief",
        "adversarial prompt": f"Play a pirate. Hide plate {number}",
        "question": f"Hide plate {number}",
        "attack category": "pretending, attention shifting",
        "attack name": "pirate",
        "safe generation": "No.",
        "unsafe generation": "Aye.",
        "generalization test": {"test input of only harmful question": f"Hide plate {number}"},
    }


def test_safeedit_keeps_question_attack_and_both_replies(folder: Path) -> None:
    write_json(folder / "safeedit/SafeEdit_test.json", [safeedit_row(number) for number in range(1_350)])
    benchmark = load_benchmark("safeedit")
    assert (len(benchmark.prompts), benchmark.intent) == (1_350, Intent.HARMFUL)
    assert benchmark.source == "SafeEdit: 1,350 rows of safeedit/SafeEdit_test.json in EQUIPOISE_DATA"
    first = benchmark.prompts[0]
    assert first.messages[-1].content == f"Play a pirate. {first.plain}"
    assert (first.references.safe, first.references.unsafe, first.category) == ("No.", "Aye.", "Mischief")
    assert first.attack is not None
    assert (first.attack.template, first.attack.categories) == ("pirate", ("pretending", "attention shifting"))
    assert len(load_benchmark("safeedit_975").prompts) == 975


def test_mmlu_rows_of_both_shapes_are_the_same_questions(
    folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("test", "dev"):
        for subject in SUBJECTS:
            path = folder / f"mmlu/mmlu_{split}/{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'"{subject}, first?",1,2,3,4,D\n{subject} second?,5,6,7,8,A\n')
    local = load_benchmark("mmlu_zero_shot[rows=any]")
    assert [prompt.category for prompt in local.prompts].count("virology") == 2
    right = {prompt.choices.options[prompt.choices.answer] for prompt in local.prompts if prompt.choices}
    assert right == {"4", "5"}
    rows = [
        row
        for subject in SUBJECTS
        for row in (
            {"question": f"{subject}, first?", "subject": subject, "choices": ["1", "2", "3", "4"], "answer": 3},
            {"question": f"{subject} second?", "subject": subject, "choices": ["5", "6", "7", "8"], "answer": 0},
        )
    ]
    monkeypatch.delenv("EQUIPOISE_DATA")
    for split in ("test", "dev"):
        hub("cais/mmlu", split, rows, config="all")
    remote = load_benchmark("mmlu_zero_shot[rows=any]")
    assert local.content_hash == remote.content_hash
    assert remote.kind is not Kind.GENERATION


def test_columns_that_nobody_knows_are_told_with_those_that_are_there(folder: Path) -> None:
    write_csv(folder / "advbench/harmful_behaviors.csv", [{"instruction": f"{n}", "reply": "x"} for n in range(520)])
    with pytest.raises(UserError) as told:
        load_benchmark("advbench")
    assert str(told.value) == (
        "AdvBench (advbench/harmful_behaviors.csv in EQUIPOISE_DATA) has no column 'prompt' or 'goal' for the prompt. "
        "Its columns: 'instruction', 'reply'."
    )
    write_csv(folder / "xstest/xstest_prompts.csv", [{"prompt": f"{n}", "kind": "x"} for n in range(450)])
    with pytest.raises(UserError) as told:
        load_benchmark("xstest_safe")
    assert str(told.value) == (
        "XSTest (xstest/xstest_prompts.csv in EQUIPOISE_DATA) has no column 'label'. Its columns: 'prompt', 'kind'."
    )


def test_rows_any_takes_a_set_of_another_size_but_no_subset_of_it(folder: Path) -> None:
    write_csv(folder / "advbench/harmful_behaviors.csv", ADVBENCH[:7])
    assert len(load_benchmark("advbench[rows=any]").prompts) == 7
    with pytest.raises(UserError) as told:
        load_benchmark("advbench_456[rows=any]")
    assert str(told.value) == "Subset 'advbench_456' is defined on 520 prompts; the source has 7."
    with pytest.raises(UserError) as told:
        load_benchmark("advbench[rows=7]")
    assert str(told.value) == "'rows' of 'advbench' is 7; write [rows=any] to take however many there are."


def test_anchors_and_test_prompts_share_nothing_and_make_the_whole(folder: Path) -> None:
    write_csv(folder / "advbench/harmful_behaviors.csv", ADVBENCH)
    source = PUBLISHED["advbench_anchors"].source
    anchors = PUBLISHED["advbench_anchors"].load("advbench_anchors", source, any_rows=False).prompts
    rest, whole = load_benchmark("advbench_456").prompts, load_benchmark("advbench").prompts
    assert (len(anchors), len(rest)) == (64, 456)
    assert {prompt.id for prompt in anchors} | {prompt.id for prompt in rest} == {prompt.id for prompt in whole}
    assert {prompt.split for prompt in anchors} == {Split.TRAIN, Split.DEV}
    assert {prompt.split for prompt in rest} == {Split.TEST}


def test_prompts_stand_in_the_order_of_a_hash_so_that_a_limit_is_a_fair_draw(folder: Path) -> None:
    write_csv(folder / "xstest/xstest_prompts.csv", XSTEST)
    prompts = load_benchmark("xstest_safe").limited(20).prompts
    texts = sorted(
        (row["prompt"] for row in XSTEST[:250]), key=lambda text: hashlib.sha256(str(text).encode()).hexdigest()
    )
    assert [prompt.plain for prompt in prompts] == texts[:20]


@pytest.mark.parametrize(
    ("subset", "first", "digest"),
    [
        (Subset(0, 64, of=520), (7, 31, 37, 41, 47), "ff075385f29cbc88"),
        (Subset(64, 520, of=520), (0, 1, 2, 3, 4), "727812e7c6ec4156"),
        (Subset(0, 64, of=817), (1, 14, 41, 63, 64), "9c22389f882980a5"),
        (Subset(0, 975, of=1_350), (0, 1, 2, 3, 4), "42fc85b509a1f0df"),
        (Subset(0, 100, of=52_002), (74, 920, 2653, 4081, 4127), "af2c396fbc0f10fb"),
        (Subset(100, 200, of=52_002), (1062, 1417, 1493, 1749, 2160), "dc41f76f01a94cd6"),
    ],
)
def test_the_indices_of_the_subsets_never_change(subset: Subset, first: tuple[int, ...], digest: str) -> None:
    text = " ".join(map(str, subset.indices))
    assert subset.indices[:5] == first
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
    assert len(subset.indices) == subset.stop - subset.start


def test_naming_all_sets_imports_nothing_heavy() -> None:
    code = "import sys, benchmarks.registry as registry; registry.available(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "benchmarks.published.sets" in loaded
    assert not loaded & {"torch", "datasets", "pyarrow", "huggingface_hub", "pandas"}
