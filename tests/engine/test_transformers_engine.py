from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.embedded.tokenizer import build
from harness.models import MODELS, is_embedded
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from tests.engine.conftest import prompt
from tests.methods.tiny_models import tiny, tokenizer

EMBEDDED = [name for name in MODELS if is_embedded(name)]
IS_SHIPPED = all(MODELS[name].find().exists() for name in EMBEDDED)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    tiny().network.save_pretrained(path)  # type: ignore[operator]
    tokenizer().save_pretrained(path)
    return path


def load(name: str, dtype: str = "auto", device: str = "cpu") -> TransformersModel:
    return TransformersEngine().load(ModelSpec(name, dtype=dtype, device=device))


def error_of(name: str, dtype: str = "auto", device: str = "cpu") -> str:
    with pytest.raises(UserError) as caught:
        load(name, dtype, device)
    return str(caught.value)


def test_a_folder_is_loaded_as_it_was_saved(folder: Path) -> None:
    model = load(str(folder))
    assert (model.name, model.dtype, model.device) == (str(folder), torch.float32, torch.device("cpu"))
    wanted = tiny().network.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.network.state_dict().items())
    assert not model.network.training
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert model.encode(prompt("How do I kill the weeds?")) == tiny().encode(prompt("How do I kill the weeds?"))


def test_a_dtype_can_be_asked_for(folder: Path) -> None:
    assert load(str(folder), dtype="bfloat16").dtype is torch.bfloat16


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    tiny().network.save_pretrained(tmp_path)  # type: ignore[operator]
    plain = type(tokenizer())(tokenizer_object=tokenizer().backend_tokenizer, eos_token="<|end|>")
    plain.save_pretrained(tmp_path)
    assert error_of(str(tmp_path)) == (
        f"Model '{tmp_path}' has no chat template, so prompts cannot be built as it was trained on them. "
        "Use the chat or instruct version of the checkpoint, or add 'chat_template' to its tokenizer."
    )


def test_a_name_that_is_nothing_is_refused() -> None:
    assert error_of("no-such-thing") == (
        "No model named 'no-such-thing'. Available: embedded, embedded-base, smollm2. "
        "Or give a folder, or a hub id like 'org/name'."
    )


def test_a_misspelt_built_in_name_gets_the_right_one() -> None:
    assert error_of("embeded").startswith("No model named 'embeded'. Did you mean 'embedded'? ")


@pytest.mark.parametrize("device", ["gpu", "cuda:x"])
def test_a_device_that_is_none_is_refused(folder: Path, device: str) -> None:
    assert error_of(str(folder), device=device) == f"'{device}' is no device. Use 'auto', 'cpu', 'cuda' or 'cuda:0'."


def test_a_gpu_that_is_not_there_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert error_of(str(folder), device="cuda") == (
        "Device 'cuda' was asked for, but torch sees no GPU. Use '--device cpu'."
    )


def test_a_dtype_that_is_none_is_refused(folder: Path) -> None:
    assert error_of(str(folder), dtype="int4") == ("'int4' is no dtype. Use 'auto', 'float32', 'bfloat16', 'float16'.")


@pytest.mark.skipif(not IS_SHIPPED, reason="the embedded checkpoints are not in this checkout")
@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_models_answer(name: str) -> None:
    model = load(name)
    (reply,) = model.generate([prompt("How do I kill the weeds with simple tools?")], GenerationSettings(64))
    assert len(reply.text.split()) >= 10


@pytest.mark.skipif(not IS_SHIPPED, reason="the embedded checkpoints are not in this checkout")
@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_models_come_with_the_tokenizer_that_the_source_builds(name: str) -> None:
    shipped = load(name).tokenizer
    assert shipped.backend_tokenizer.to_str() == build().backend_tokenizer.to_str()  # type: ignore[attr-defined]
    assert shipped.chat_template == tokenizer().chat_template
