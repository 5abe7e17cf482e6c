import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
import transformers
from torch import nn
from transformers import AutoModelForCausalLM

from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.checkpoints import open_checkpoint
from harness.conformance.families import FAMILIES, LAYERS, NEURONS, SMALL, tiny, tokenizer
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings, Requirements
from methods.blocks import find_blocks
from tests.engine.chat_templates import SHAPES, tokenizer_of
from tests.engine.conftest import prompt

SETTINGS = GenerationSettings(max_new_tokens=4)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def save(model: TransformersModel, folder: Path, shard: str = "1GB") -> Path:
    model.network.save_pretrained(folder, max_shard_size=shard)  # type: ignore[operator]
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny(), tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy to spoil."""
    yield Path(shutil.copytree(saved, tmp_path / "model"))


def load(folder: Path, **given: Any) -> TransformersModel:  # noqa: ANN401
    return TransformersEngine().load(ModelSpec(str(folder), device=given.pop("device", "cpu"), **given))


def error_of(folder: Path | str, **given: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as caught:
        TransformersEngine().load(ModelSpec(str(folder), device=given.pop("device", "cpu"), **given))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_the_same_from_disk(family: str, tmp_path: Path) -> None:
    model, asked = tiny(family), prompt("How do I kill the weeds?")
    loaded = load(save(model, tmp_path))
    ids = torch.tensor([model.encode(asked).ids])
    theirs = dict(model.network.named_parameters())
    assert all(torch.equal(one, theirs[name]) for name, one in loaded.network.named_parameters())
    difference = loaded.network(input_ids=ids).logits - model.network(input_ids=ids).logits
    assert difference.abs().max() < 1e-5  # experts are rounded by where their weights lie in memory
    # transformers gives a Qwen2 a tokenizer of its own class, whatever was saved: the one that was loaded counts.
    here = TransformersModel("here", model.network, loaded.tokenizer)  # type: ignore[arg-type]
    assert loaded.generate([asked], SETTINGS)[0].token_ids == here.generate([asked], SETTINGS)[0].token_ids
    assert (len(loaded.blocks), loaded.offers) == (LAYERS, model.offers)


@pytest.mark.parametrize("family", SHAPES)
def test_a_family_with_a_template_of_its_own_shape_answers_from_disk(family: str, tmp_path: Path) -> None:
    words = tokenizer_of(SHAPES[family])
    model = TransformersModel("tiny", FAMILIES[family](len(words), SMALL), words)
    loaded = load(save(model, tmp_path))
    encoded = loaded.encode(prompt("Q"))
    assert list(encoded.ids) == loaded.prompting.tokens(SHAPES[family].asked)
    assert loaded.encode_reply("Sure.")[-1] == words.convert_tokens_to_ids(SHAPES[family].end)
    (reply,) = loaded.generate([prompt("Q")], SETTINGS)
    assert len(reply.token_ids) <= 4


def test_shards_are_read_and_a_lost_one_is_named(tmp_path: Path) -> None:
    save(tiny(), tmp_path, shard="50KB")
    shards = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    wanted = tiny().network.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in load(tmp_path).network.state_dict().items())
    (tmp_path / shards[1]).unlink()
    assert error_of(tmp_path) == (
        f"Model folder '{tmp_path}' lacks 1 of the {len(shards)} files that model.safetensors.index.json names, "
        f"'{shards[1]}' first. Copy or download it again."
    )


def test_attention_is_passed_on(saved: Path) -> None:
    assert load(saved, attention="eager").network.config._attn_implementation == "eager"  # type: ignore[union-attr]


def test_a_device_map_is_passed_on_and_changes_no_reply(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("accelerate", reason="--device-map needs accelerate, which is not installed")
    seen: list[object] = []
    original = AutoModelForCausalLM.from_pretrained

    def watched(where: str, **given: Any) -> Any:  # noqa: ANN401
        seen.append(given.get("device_map"))
        return original(where, **given)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", watched)
    asked = [prompt("How do I kill the weeds?")]
    spread, whole = load(saved, device_map="auto"), load(saved)
    assert seen == ["auto", None]
    assert spread.generate(asked, SETTINGS)[0].token_ids == whole.generate(asked, SETTINGS)[0].token_ids


def test_an_attention_that_is_none_is_told(saved: Path) -> None:
    told = error_of(saved, attention="magic")
    assert told.startswith(f"Model '{saved}' cannot be loaded with --attention magic: ")
    assert told.endswith(" is not supported. Use sdpa or eager.")


@pytest.mark.parametrize(
    ("given", "package", "flag"),
    [
        ({"quantize": "4bit"}, "bitsandbytes", "--quantize 4bit"),
        ({"device_map": "auto"}, "accelerate", "--device-map auto"),
    ],
)
def test_a_package_that_is_not_there_is_named(
    given: dict[str, str], package: str, flag: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.checkpoints.find_spec", lambda _: None)
    assert error_of(saved, **given) == (f"{flag} needs {package}, which is not installed: pip install {package}.")


def test_a_quantised_model_on_a_cpu_offers_neither_its_weights_nor_gradients() -> None:
    model = tiny()
    model.network.config.quantization_config = {"quant_method": "bitsandbytes"}  # type: ignore[union-attr]
    assert model.offers == Requirements(activations=True, neurons=True)


class Packed(nn.Linear):
    """Keeps two numbers in one, as 4-bit layers do."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False)
        half = torch.zeros(layer.weight.numel() // 2, 1, dtype=torch.uint8)
        self.weight = nn.Parameter(half, requires_grad=False)


def test_the_blocks_of_a_network_with_packed_weights_are_found() -> None:
    network = tiny().network
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, Packed(child))
    blocks = find_blocks(network)
    assert [block.dense.neurons for block in blocks] == [NEURONS] * LAYERS
    assert all(block.attention_output is block.module.self_attn.o_proj for block in blocks)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    assert error_of(tmp_path) == (
        f"Model folder '{tmp_path}' has no config.json; it is empty. Give a folder that save_pretrained has written."
    )


def test_a_folder_of_other_things_is_no_model(tmp_path: Path) -> None:
    for name in "abcdef":
        (tmp_path / name).touch()
    assert "has no config.json; it holds a, b, c, d, e, .... " in error_of(tmp_path)


@pytest.mark.parametrize("has_peft", [True, False])
def test_an_adapter_beside_the_weights_is_refused_whether_peft_is_installed_or_not(
    has_peft: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    monkeypatch.setattr(transformers.models.auto.auto_factory, "is_peft_available", lambda: has_peft)
    assert error_of(folder) == (
        f"Model folder '{folder}' holds an adapter (adapter_config.json), which transformers would apply or leave out "
        "by whether peft is installed. Merge it: peft's PeftModel.from_pretrained(MODEL, FOLDER).merge_and_unload()"
        ".save_pretrained(NEW_FOLDER); or take it out of the folder."
    )


def test_an_adapter_on_the_hub_is_refused_before_anything_else_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        transformers.utils.peft_utils, "find_adapter_config_file", lambda *_, **__: "adapter_config.json"
    )
    assert error_of("org/m").startswith(
        "Model 'org/m' holds an adapter (adapter_config.json), which transformers would "
    )


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    assert error_of(tmp_path) == (
        f"Model folder '{tmp_path}' holds an adapter of 'org/base', not a whole model. Merge them with peft's "
        "merge_and_unload, save_pretrained the result, and give its folder."
    )


def test_weights_as_pickle_alone_are_refused_unread(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert error_of(folder) == (
        f"Model folder '{folder}' has a config.json but no weights (model.safetensors). Copy or download it again."
    )
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    assert error_of(folder) == (
        f"Model folder '{folder}' has its weights as pickle alone (pytorch_model.bin), which can run any code when it "
        "is read. Use a revision with safetensors, or convert it where you trust it: "
        "from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)."
    )


def test_a_download_that_was_not_finished_is_not_called_pickle_alone(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    weights.symlink_to("gone")
    assert error_of(folder) == (
        f"'{weights}' is a link to a file that is not there: a download was not finished. Repeat it."
    )
    weights.unlink()
    (folder / "model.safetensors.incomplete").touch()
    told = f"Model folder '{folder}' holds an unfinished download"
    assert error_of(folder) == f"{told} (model.safetensors.incomplete). Download it again."
    (folder / "model.safetensors.incomplete").unlink()
    (folder / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "download" / "x.incomplete").touch()
    assert error_of(folder) == f"{told} (x.incomplete). Download it again."


@pytest.fixture
def cached(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache of `org/m`, all there but the weights; gives the folder of its commit."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(transformers.utils.hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository, commit = tmp_path / "models--org--m", "a" * 40
    without = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(saved, repository / "snapshots" / commit, ignore=without)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    (repository / "blobs").mkdir()
    return repository / "snapshots" / commit


def test_a_cache_without_the_weights_is_not_called_pickle_alone(cached: Path) -> None:
    assert error_of("org/m") == (
        "Model 'org/m' lies in the cache without its weights, and HF_HUB_OFFLINE forbids to ask the hub. Unset it, or "
        "give a folder."
    )
    (cached.parent.parent / "blobs" / "abc.incomplete").touch()
    told = "Model 'org/m' lies in the cache as an unfinished download"
    assert error_of("org/m") == f"{told} (abc.incomplete). Repeat it: hf download org/m."
    (cached / "model.safetensors").symlink_to("../../blobs/abc")
    assert error_of("org/m").startswith(f"{told} (model.safetensors, a link to a file that is not there).")


def test_a_cache_with_pickles_in_place_of_safetensors_is_pickle_alone(cached: Path) -> None:
    (cached / "pytorch_model.bin").write_bytes(b"never read")
    assert error_of("org/m").startswith("Model 'org/m' has its weights as pickle alone (no safetensors there), ")


def test_a_folder_without_a_tokenizer_is_told(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    assert error_of(folder).startswith(f"Model folder '{folder}' has no tokenizer. Save it there, too: ")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "model.safetensors",
            b"{damaged",
            "'{folder}/model.safetensors' (8 bytes) is damaged or cut short: header too large. "
            "Copy or download it again.",
        ),
        (
            "model.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "'{folder}/model.safetensors' is a pointer of Git LFS, not the weights. Run 'git lfs pull' in its folder.",
        ),
        (
            "config.json",
            b"{damaged",
            "'{folder}/config.json' cannot be read as JSON: Expecting property name enclosed in double quotes: line 1 "
            "column 2 (char 1). Copy or download it again.",
        ),
        ("config.json", b"[]", "'{folder}/config.json' holds list, not an object. Copy or download it again."),
        (
            "tokenizer.json",
            b"{}",
            "The tokenizer of model '{folder}' cannot be read: KeyError: 'added_tokens'. Copy or download it again.",
        ),
    ],
)
def test_a_damaged_file_is_told_in_one_line(file: str, content: bytes, message: str, folder: Path) -> None:
    (folder / file).write_bytes(content)
    assert error_of(folder) == message.format(folder=folder)


def test_weights_that_are_cut_short_are_told_before_they_are_read(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError) as told:
        open_checkpoint(ModelSpec(str(folder)))
    assert str(told.value) == (
        f"'{path}' ({path.stat().st_size:,} bytes) is damaged or cut short: incomplete metadata, file not fully "
        "covered. Copy or download it again."
    )


@pytest.mark.parametrize("places", [{}, ["a"], None])
def test_an_index_that_names_no_file_is_told(places: object, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert error_of(folder) == f"'{index}' names no file with weights. Copy or download it again."


def test_a_tokenizer_without_its_vocabulary_is_told(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert error_of(folder) == (
        f"The tokenizer of model '{folder}' lacks its vocabulary, such as tokenizer.json or tokenizer.model. Copy or "
        "download it again; one of an old kind may need: pip install sentencepiece tiktoken."
    )


def test_a_configuration_with_a_value_of_another_type_is_told(folder: Path) -> None:
    change(folder / "config.json", hidden_size="big")
    told = error_of(folder)
    assert told.startswith(f"The configuration of model '{folder}' cannot be read: ")
    assert told.endswith("Field 'hidden_size' expected int, got str (value: 'big'). Copy or download it again.")


def test_weights_that_would_be_random_are_refused(folder: Path) -> None:
    change(folder / "config.json", num_hidden_layers=LAYERS + 1)
    assert error_of(folder).startswith(f"The weights of model '{folder}' lack 9 that its config.json asks for, 'model.")


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    change(folder / "config.json", intermediate_size=NEURONS + 1)
    assert error_of(folder) == (
        f"9 weights of model '{folder}' have another shape than its config.json asks for, "
        f"'model.layers.0.mlp.down_proj.weight' first: (32, {NEURONS}), not (32, {NEURONS + 1}). Give the config.json "
        "that belongs to them."
    )


def test_weights_that_do_not_fit_are_told_in_one_line_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    change(folder / "config.json", num_hidden_layers=LAYERS + 1)
    error_of(folder)
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_weights_that_are_left_out_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(folder / "config.json", num_hidden_layers=LAYERS - 1)
    assert len(load(folder).blocks) == LAYERS - 1
    assert caplog.messages == [
        f"warning: the weights of model '{folder}' hold 9 that its config.json does not ask for, "
        f"'model.layers.{LAYERS - 1}.input_layernorm.weight' first; they are left out."
    ]


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    words = len(tokenizer())
    change(folder / "config.json", vocab_size=words - 1)
    assert error_of(folder) == (
        f"The tokenizer of model '{folder}' has {words:,} tokens, the model {words - 1:,}: they do not belong "
        "together. Give the tokenizer that the model was trained with."
    )


def test_an_encoder_with_a_decoder_is_refused(folder: Path) -> None:
    change(folder / "config.json", model_type="t5", is_encoder_decoder=True)
    assert error_of(folder) == (
        f"Model '{folder}' is an encoder with a decoder (t5). Give a decoder, such as Llama or Qwen."
    )


def test_an_architecture_that_is_not_known_is_told(folder: Path) -> None:
    change(folder / "config.json", model_type="quux")
    assert error_of(folder) == (
        f"Model '{folder}' is of type 'quux', which transformers {transformers.__version__} does not know. Take "
        "another model, or update it: pip install --upgrade transformers."
    )


@pytest.mark.parametrize("kind", ["BertForMaskedLM", "LlamaForSequenceClassification"])
def test_an_architecture_that_writes_nothing_is_refused(kind: str, folder: Path) -> None:
    change(folder / "config.json", architectures=[kind])
    assert error_of(folder) == (f"Model '{folder}' is a {kind}, which writes no replies. Give a causal language model.")


def test_a_type_without_a_causal_language_model_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "clip"}')
    assert error_of(folder) == (
        f"Model '{folder}' is of type 'clip', of which transformers has no causal language model. Give a decoder, such "
        "as Llama or Qwen."
    )


def test_code_of_a_checkpoint_runs_only_if_it_is_allowed(folder: Path) -> None:
    change(folder / "config.json", model_type="quux", auto_map={"AutoConfig": "own.Config"})
    (folder / "own.py").write_text("raise SystemExit('the code of the checkpoint ran')")
    assert error_of(folder) == (
        f"Model '{folder}' needs code that comes with it. Read that, then allow it with --trust-remote-code."
    )
    assert error_of(folder, trust_remote_code=True) == (
        f"The configuration of model '{folder}' cannot be read: SystemExit: the code of the checkpoint ran. Its own "
        "code may need other packages, or another version of transformers."
    )


def test_a_file_and_a_folder_that_is_not_there_are_told(saved: Path) -> None:
    file = saved / "model.safetensors"
    assert error_of(file) == f"'{file}' is a file. Give a GGUF file, or the folder that save_pretrained has written."
    assert error_of("./nowhere") == "There is no model folder './nowhere'."


@pytest.mark.parametrize("name", ["embedded", ""])
def test_a_revision_of_what_lies_on_this_disk_is_refused(name: str, saved: Path) -> None:
    model = name or str(saved)
    assert error_of(model, revision="v2") == (
        f"--revision v2 cannot be used: '{model}' lies on this disk and has but one. Leave it out, or give the model's "
        "id on the hub."
    )


@pytest.mark.parametrize("device", ["meta", "xpu"])
def test_a_device_that_torch_does_not_see_is_refused(device: str, saved: Path) -> None:
    assert error_of(saved, device=device) == (
        f"Device '{device}' was asked for, but torch sees none. Use 'auto', 'cpu', 'cuda' or 'cuda:0'."
    )


def test_code_that_a_checkpoint_names_and_lacks_is_told(folder: Path) -> None:
    change(folder / "config.json", model_type="quux", auto_map={"AutoConfig": "own.Config"})
    assert error_of(folder, trust_remote_code=True) == (
        f"Model '{folder}' lacks the file 'own.py'. Copy or download it again."
    )


def test_a_hub_model_that_is_not_in_the_cache_is_told_offline() -> None:
    assert error_of("no-such-organisation/no-such-model") == (
        "Model 'no-such-organisation/no-such-model' is not in the cache, and HF_HUB_OFFLINE forbids to ask the hub. "
        "Unset it, or give a folder."
    )


def test_a_gpu_beyond_the_last_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert error_of(saved, device="cuda:2") == (
        "Device 'cuda:2' was asked for, but torch sees 2 GPUs, numbered from 0."
    )


def test_opening_a_checkpoint_reads_no_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")  # of the tensors, after the header and its length
    path.write_bytes(content[:start])
    os.truncate(path, len(content))
    opened = open_checkpoint(ModelSpec(str(folder)))
    assert (opened.config.model_type, len(opened.tokenizer)) == ("llama", len(tokenizer()))
