"""lm-evaluation-harness is an optional extra: `pip install -e '.[lm-eval]'`."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.base import Kind
from benchmarks.errors import UserError
from benchmarks.lm_eval_tasks import TaskName, load_task
from benchmarks.registry import load_benchmark
from harness.batching import BatchSize
from methods.base import ChatModel
from methods.safety_prompt import Reworded, Words
from tests.methods.tiny_models import tiny

ROWS = [
    {"question": "Is the bear red?", "choices": ["yes", "no"], "answer": 0},
    {"question": "What is the river of Abrel?", "choices": ["Aven", "the long Brook"], "answer": 1},
    {"question": "Who sleeps?", "choices": ["the old goat", "nobody"], "answer": 0},
]
CHOICE = """
task: {name}
dataset_path: json
dataset_kwargs:
  data_files: {{test: {file}}}
test_split: test
num_fewshot: 0
output_type: {kind}
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: answer
doc_to_choice: "{{{{choices}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
metadata: {{version: 1.0}}
"""
WRITTEN = """
task: toy_written
dataset_path: json
dataset_kwargs:
  data_files: {{test: {file}}}
test_split: test
num_fewshot: 0
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{choices[0]}}}}"
generation_kwargs: {{until: ["."], max_gen_toks: 6}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 2.0}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("lm_eval")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, kind in (("toy", "multiple_choice"), ("toy_likelihood", "loglikelihood")):
        (tmp_path / f"{name}.yaml").write_text(CHOICE.format(name=name, kind=kind, file=rows))
    (tmp_path / "toy_written.yaml").write_text(WRITTEN.format(file=rows))
    return tmp_path


def size() -> BatchSize:
    return BatchSize(2, lambda _: None)


def peer(folder: Path, task: str) -> list[dict[str, Any]]:
    """What lm-eval's own model makes of the same network."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    model = tiny()
    lm = HFLM(pretrained=model.network, tokenizer=model.tokenizer, batch_size=2)
    found = simple_evaluate(model=lm, tasks=[task], task_manager=TaskName(task, str(folder)).manager())
    assert found is not None
    return sorted(found["samples"][task], key=lambda sample: sample["doc_id"])


def test_a_task_is_a_benchmark_with_one_raw_prompt_a_document(folder: Path) -> None:
    benchmark = load_benchmark(f"lm_eval:toy@{folder}")
    assert (benchmark.name, benchmark.kind, benchmark.revision) == ("lm_eval-toy", Kind.TASK, "task version 1.0")
    assert [prompt.id for prompt in benchmark.prompts] == ["toy-0", "toy-1", "toy-2"]
    assert benchmark.prompts[0].messages[0].content == "Question: Is the bear red?\nAnswer:"
    assert all(prompt.is_raw for prompt in benchmark.prompts)


def test_choices_are_scored_as_by_lm_evals_own_model(folder: Path) -> None:
    from harness.lm_eval import answer_task

    replies = answer_task(tiny(), load_task(f"lm_eval:toy@{folder}"), size())
    theirs = peer(folder, "toy")
    assert [reply.action["acc"] for reply in replies] == [sample["acc"] for sample in theirs]
    assert [reply.action["acc_norm"] for reply in replies] == [sample["acc_norm"] for sample in theirs]
    for reply, sample in zip(replies, theirs, strict=True):
        likelihoods = [response[0][0] for response in sample["resps"]]
        chosen = likelihoods.index(max(likelihoods))
        assert reply.text == ROWS[sample["doc_id"]]["choices"][chosen]  # type: ignore[index]
        assert reply.action["task_score"] == sample["acc"]


def test_replies_are_cut_as_the_task_says_and_are_those_of_lm_evals_own_model(folder: Path) -> None:
    from harness.lm_eval import answer_task

    replies = answer_task(tiny(), load_task(f"lm_eval:toy_written@{folder}"), size())
    theirs = [sample["resps"][0][0].strip() for sample in peer(folder, "toy_written")]
    assert [reply.text.strip() for reply in replies] == theirs
    assert all(reply.action["task_score"] == 0 for reply in replies)


@pytest.mark.usefixtures("folder")
def test_an_arm_that_rewrites_prompts_is_asked_through_its_own_door() -> None:
    from lm_eval.api.instance import Instance

    from harness.lm_eval import ArmLM

    def likelihood(model: ChatModel, text: str) -> float:
        request = Instance("loglikelihood", {}, (text, " Aven"), 0)
        return ArmLM(model, size()).loglikelihood([request])[0][0]

    arm = Reworded(tiny(), Words(before="Be kind."))
    assert likelihood(arm, "Who sleeps?") == likelihood(tiny(), "Be kind. Who sleeps?")
    assert likelihood(arm, "Who sleeps?") != likelihood(tiny(), "Who sleeps?")


@pytest.mark.usefixtures("folder")
def test_blanks_before_a_continuation_belong_to_it() -> None:
    from lm_eval.api.instance import Instance

    from harness.lm_eval import ArmLM

    both = [Instance("loglikelihood", {}, pair, 0) for pair in (("Who sleeps? ", "Aven"), ("Who sleeps?", " Aven"))]
    (one, _), (other, _) = ArmLM(tiny(), size()).loglikelihood(both)
    assert one == other


def test_a_limited_task_asks_its_first_documents_alone(folder: Path) -> None:
    from harness.lm_eval import answer_task

    replies = answer_task(tiny(), load_task(f"lm_eval:toy@{folder}").limited(2), size())
    assert [reply.prompt_id for reply in replies] == ["toy-0", "toy-1"]


def test_tasks_that_no_arm_can_answer_are_refused(folder: Path) -> None:
    with pytest.raises(UserError) as error:
        load_task(f"lm_eval:toy_likelihood@{folder}")
    assert str(error.value) == (
        "Task 'toy_likelihood' of lm-eval is of type loglikelihood; arms can answer multiple_choice and generate_until."
    )
    with pytest.raises(UserError) as error:
        load_task(f"lm_eval:hellaswag@{folder}")
    assert str(error.value) == f"lm-eval finds no task 'hellaswag' in '{folder}'."


def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError) as error:
        TaskName.of("lm_eval:toy@nowhere")
    assert str(error.value) == (
        "'lm_eval:toy@nowhere' names the folder 'nowhere', which is not there. Write lm_eval:TASK@FOLDER."
    )


def test_without_lm_eval_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lm_eval.tasks", None)
    with pytest.raises(UserError) as error:
        load_task("lm_eval:hellaswag")
    assert str(error.value) == (
        "'lm_eval:hellaswag' needs the package lm-eval. Run: pip install 'lm-eval[hf]==0.4.13'."
    )
