"""MMLU by lm-evaluation-harness 0.4.13 on a tiny random Llama on disk, from the files in EQUIPOISE_DATA."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 8192


def data_folder() -> Path:
    """Skips the test where the published files are not at hand."""
    folder = os.environ.get("EQUIPOISE_DATA")
    if not folder or not (Path(folder) / "mmlu").is_dir():
        pytest.skip("EQUIPOISE_DATA names no folder with mmlu/mmlu_test and mmlu/mmlu_dev")
    return Path(folder) / "mmlu"


def questions(split: str, subject: str) -> list[dict[str, Any]]:
    path = data_folder() / f"mmlu_{split}" / f"{subject}_{split}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {"question": question, "choices": options, "answer": "ABCD".index(letter)}
            for question, *options, letter in csv.reader(file)
        ]


def subjects() -> list[str]:
    return sorted(path.stem.removesuffix("_test") for path in (data_folder() / "mmlu_test").glob("*.csv"))


def save_tiny_model(folder: Path, width: int = 64, layers: int = 3) -> None:
    """With a byte-level BPE of 2,000 tokens, learnt from the dev questions, that begins every text as Llama's does."""
    texts = [" ".join((row["question"], *row["choices"])) for name in subjects() for row in questions("dev", name)]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=2000, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    ))  # fmt: skip
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=CONTEXT, initializer_range=0.2,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def peer_task(subject: str, folder: Path, limit: int | None) -> dict[str, Any]:
    """lm-evaluation-harness's own MMLU task, but for where the rows come from."""
    import yaml
    from lm_eval import tasks

    place = Path(tasks.__file__).parent / "mmlu" / "default"
    own = yaml.safe_load((place / f"mmlu_{subject}.yaml").read_text())
    template = yaml.safe_load((place / own["include"]).read_text())
    files = {}
    for split in ("test", "dev"):
        path = folder / f"{subject}_{split}.jsonl"
        rows = questions(split, subject)[: limit if split == "test" else None]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        files[split] = str(path)
    rows_from = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    return template | {"task": own["task"], "description": own["description"], "num_fewshot": 5} | rows_from


def peer_samples(model: Any, names: Sequence[str], folder: Path, limit: int | None = None) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """By id as ours, what lm-evaluation-harness notes of each question."""
    from lm_eval import simple_evaluate

    found = simple_evaluate(model=model, tasks=[peer_task(name, folder, limit) for name in names], bootstrap_iters=0)
    assert found is not None
    return {f"mmlu-{name}-{sample['doc_id']}": sample for name in names for sample in found["samples"][f"mmlu_{name}"]}
