import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from benchmarks.errors import UserError
from benchmarks.registry import load_benchmark
from harness import ledger
from harness.config import build_config
from harness.conformance.families import tiny
from harness.fingerprint import weights_hash
from harness.models import MODELS, is_embedded
from harness.plan import make_plan
from harness.progress import Display
from harness.run_folder import RunFolder
from harness.runner import run as run_plan
from methods.dinm.weight_edit import FittedDinm
from methods.neurontune.method import FittedNeuronTune
from methods.registry import METHODS
from tests.engine.fitted_runs import exported, fitted_run, load, logits

EMBEDDED = [name for name in MODELS if is_embedded(name)]
IS_SHIPPED = all(MODELS[name].find().exists() for name in EMBEDDED)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a model whose first and last weights are one tensor."""
    return fitted_run(tmp_path_factory.mktemp("gemma"), "gemma", "neurontune", "dinm")


def test_tied_weights_stay_tied(gemma: Path) -> None:
    network = load(exported(gemma, "dinm")).network
    assert isinstance(network, PreTrainedModel)
    assert network.get_input_embeddings().weight is network.get_output_embeddings().weight


def test_a_dtype_is_cast_to_and_its_rounding_is_told(gemma: Path) -> None:
    output = exported(gemma, "neurontune", "bfloat16")
    network = AutoModelForCausalLM.from_pretrained(output, dtype="auto")
    assert network.dtype is torch.bfloat16
    arm = METHODS["neurontune"].load(RunFolder(gemma).artefact("neurontune", 0))
    model = tiny("gemma")
    wanted = model.network.state_dict() | arm.fold(model.network.state_dict(), model.blocks)  # type: ignore[attr-defined]
    assert all(torch.equal(tensor, wanted[name].bfloat16()) for name, tensor in network.state_dict().items())
    card = (output / "README.md").read_text()
    assert "- Weights were rounded to bfloat16: where the edit is below 0.4 % of a weight it may have vanished." in card
    facts = json.loads((output / "equipoise.json").read_text())
    assert facts["dtype"] == "bfloat16"
    assert 0 < facts["agreement"]["difference"] < facts["agreement"]["largest"]


def test_a_wider_dtype_keeps_what_the_runs_would_round_away(gemma: Path) -> None:
    narrow = json.loads((gemma / "run.json").read_text())
    run = gemma.with_name("narrow")
    shutil.copytree(gemma, run)
    model = load(gemma.parent / "base", "bfloat16")
    narrow["protocol"]["model"] |= {"dtype": "torch.bfloat16", "weights": weights_hash(model)}
    (run / "run.json").write_text(json.dumps(narrow))
    network = load(exported(run, "neurontune", "float32")).network
    arm = METHODS["neurontune"].load(RunFolder(run).artefact("neurontune", 0))
    weights = {name: tensor.float() for name, tensor in model.network.state_dict().items()}
    wanted = weights | arm.fold(weights, model.blocks)  # type: ignore[attr-defined]
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in network.state_dict().items())


def test_a_generation_config_that_transformers_would_not_save_is_kept(tmp_path: Path) -> None:
    run = fitted_run(tmp_path, "llama", "default")
    published = {"temperature": 0.6, "top_p": 0.9, "eos_token_id": [2, 3], "pad_token_id": 0}
    (tmp_path / "base" / "generation_config.json").write_text(json.dumps(published))
    kept = json.loads((exported(run, "default") / "generation_config.json").read_text())
    assert {name: kept[name] for name in published} == published


def test_no_file_tells_where_it_was_made_and_all_can_be_read(gemma: Path) -> None:
    output = exported(gemma, "dinm", "float32")
    files = [path for path in output.rglob("*") if path.is_file()]
    assert not [path.name for path in files if str(gemma.parent).encode() in path.read_bytes()]
    assert len({path.stat().st_mode for path in files}) == 1


def test_a_model_with_other_weights_is_refused(tmp_path: Path) -> None:
    run = fitted_run(tmp_path, "llama", "dinm")
    tiny("llama", seed=1).network.save_pretrained(tmp_path / "base")  # type: ignore[operator]
    with pytest.raises(UserError) as caught:
        exported(run, "dinm")
    assert re.sub(r"\b[0-9a-f]{12}\b", "HASH", str(caught.value)) == (
        f"Model '{tmp_path / 'base'}' has other weights than in the run (hash HASH now, HASH then), so the arm does "
        "not belong to it. Bring back the run's checkpoint."
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "run"]


def test_a_quantised_run_has_no_checkpoint(gemma: Path) -> None:
    header = json.loads((gemma / "run.json").read_text())
    header["protocol"]["model"]["quantize"] = "4bit"
    run = gemma.with_name("quantised")
    shutil.copytree(gemma, run)
    (run / "run.json").write_text(json.dumps(header))
    with pytest.raises(UserError) as caught:
        exported(run, "dinm", "float16")
    assert str(caught.value) == (
        f"The run had '{gemma.parent / 'base'}' in 4bit, and what was fitted on rounded weights is no edit of whole "
        "ones. Run it without --quantize, or give --artefact to export what was fitted."
    )


def test_a_fold_that_is_not_what_the_arm_does_is_never_written(gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FittedNeuronTune, "fold", lambda *_: {})
    with pytest.raises(UserError, match=r"do not answer as the arm does: a logit differs by .* nothing was written\."):
        exported(gemma, "neurontune")
    assert not (gemma.parent / "neurontune-None").exists()


def test_an_edit_of_a_tied_weight_is_refused(gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fold(_: FittedDinm, weights: Mapping[str, Tensor], __: object) -> dict[str, Tensor]:
        return {"lm_head.weight": weights["lm_head.weight"] * 2}

    monkeypatch.setattr(FittedDinm, "applied", METHODS["default"].load(gemma).__class__.applied)
    monkeypatch.setattr(FittedDinm, "fold", fold)
    with pytest.raises(UserError) as caught:
        exported(gemma, "dinm", "float16")
    assert str(caught.value) == (
        "The edit changes 'lm_head.weight', which is no weight of its own in this model (it may be tied to another), "
        "so no checkpoint can hold it. Give --artefact to export what was fitted."
    )


def on_embedded(model: str, methods: str, output: Path) -> Path:
    """A short run, at the same prompts."""
    config = build_config({
        "model": model, "methods": methods, "benchmarks": ["embedded_attacked"], "limit": "8", "judge": "grammar",
        "data": "embedded", "max_new_tokens": "24", "device": "cpu", "output": str(output),
    })  # fmt: skip
    assert run_plan(config, make_plan(config), Display()) == ()
    return output


def replies(run: Path, arm: str) -> dict[str, Any]:
    """Token ids by prompt."""
    records = ledger.read(run / "replies" / arm / "seed-0" / "embedded_attacked.jsonl").records
    return {name: record["token_ids"] for name, record in records.items()}


def snippet(output: Path) -> str:
    """The Python of a card."""
    (found,) = re.findall(r"```python\n(.*?)```", (output / "README.md").read_text(), flags=re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return on_embedded("embedded", "dinm,safety_prompt", tmp_path_factory.mktemp("embedded") / "run")


@pytest.mark.skipif(not IS_SHIPPED, reason="the embedded checkpoints are not in this checkout")
def test_an_exported_folder_is_a_model_that_answers_as_the_arm(embedded: Path, tmp_path: Path) -> None:
    output = exported(embedded, "dinm")
    again = on_embedded(str(output), "default", tmp_path / "run")
    assert replies(again, "default") == replies(embedded, "dinm") != replies(embedded, "default")
    told = json.loads((output / "equipoise.json").read_text())
    assert json.loads((again / "run.json").read_text())["protocol"]["model"]["weights"] == told["weights"]
    assert told["agreement"]["identical"] == told["agreement"]["prompts"] == 8
    assert told["agreement"]["difference"] < 1e-5 < told["agreement"]["effect"]


@pytest.mark.skipif(not IS_SHIPPED, reason="the embedded checkpoints are not in this checkout")
def test_the_card_of_a_checkpoint_loads_it(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = exported(embedded, "dinm", "float32")
    monkeypatch.chdir(output.parent)
    names: dict[str, Any] = {}
    exec(snippet(output), names)
    ids = tuple(names["tokenizer"]("I cannot", add_special_tokens=False)["input_ids"])
    assert torch.equal(logits(names["model"], ids), logits(load(output).network, ids))


@pytest.mark.skipif(not IS_SHIPPED, reason="the embedded checkpoints are not in this checkout")
def test_the_card_of_an_artefact_applies_it(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = exported(embedded, "safety_prompt")
    monkeypatch.chdir(output.parent)
    prompts = load_benchmark("embedded_attacked").prompts[:8]
    names: dict[str, Any] = {"prompts": prompts}
    exec(snippet(output), names)
    assert {reply.prompt_id: list(reply.token_ids) for reply in names["replies"]} == replies(embedded, "safety_prompt")
