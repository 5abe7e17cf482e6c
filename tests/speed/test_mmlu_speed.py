"""MMLU here against lm-evaluation-harness 0.4.13, the same letters on the way: `pytest -m speed -s -k mmlu`.

Needs `pip install -e '.[lm-eval]'` and EQUIPOISE_DATA. Processor seconds of one core, everything but the loading of
rows and weights included; the model is small, so the time that is not the network's shows, too.
"""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.mmlu import TEST, FewShot
from harness.base import ModelSpec
from harness.batching import AUTOMATIC, BatchSize
from harness.cells import Job, Ordered, answer
from harness.ledger import read
from harness.progress import Display
from harness.registry import engine
from methods.base import GenerationSettings
from tests.engine.mmlu_peer import data_folder, peer_samples, save_tiny_model, subjects


def our_letters(model: Any, folder: Path, wanted: set[str]) -> dict[str, str]:  # noqa: ANN401
    """By id, the letters that a run of these questions chooses."""
    benchmark = FewShot("MMLU").load("mmlu", TEST, any_rows=False)
    prompts = tuple(prompt for prompt in benchmark.prompts if prompt.id in wanted)
    questions = Ordered.of(type(benchmark)("mmlu", "", benchmark.kind, benchmark.intent, prompts, "", "", ""), model)
    job = Job(questions, folder / "replies.jsonl", BatchSize(AUTOMATIC, lambda _: None), Display(), "MMLU")
    answer(model, job, GenerationSettings())
    return {key: str(record["text"]) for key, record in read(job.path).records.items()}


def likeliest(sample: dict[str, Any]) -> str:
    likelihoods = [response[0][0] for response in sample["resps"]]
    return "ABCD"[likelihoods.index(max(likelihoods))]


@pytest.mark.speed
@pytest.mark.parametrize("per_subject", [5, None], ids=["a_sample", "all_questions"])
def test_mmlu_gives_the_letters_of_lm_evaluation_harness_in_less_time(
    per_subject: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lm_eval")
    data_folder()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)
    from lm_eval.models.huggingface import HFLM

    save_tiny_model(tmp_path / "model")
    theirs = HFLM(pretrained=str(tmp_path / "model"), device="cpu", dtype="float32", batch_size=AUTOMATIC)
    ours = engine("transformers").load(ModelSpec(str(tmp_path / "model"), device="cpu"))
    started = time.process_time()
    expected = {key: likeliest(one) for key, one in peer_samples(theirs, subjects(), tmp_path, per_subject).items()}
    between = time.process_time()
    found = our_letters(ours, tmp_path, set(expected))
    their_seconds, our_seconds = between - started, time.process_time() - between
    assert found == expected
    print(
        f"\n{len(found):,} questions: {len(found) / our_seconds:.1f} a second here, {len(found) / their_seconds:.1f} "
        f"in lm-evaluation-harness ({their_seconds / our_seconds:.1f} times)"
    )
