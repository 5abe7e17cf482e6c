"""What a checkpoint's generation configuration asks for decides nothing but where a reply ends, and is told."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import GenerationConfig

from benchmarks.errors import UserError
from harness import vllm_engine
from harness.base import ModelSpec
from harness.checkpoints import open_checkpoint
from harness.decoding import decoding_facts, left_out, look_at_decoding
from harness.findings import Findings
from harness.transformers_engine import TransformersEngine
from harness.vllm_engine import VllmSettings
from methods.base import GenerationSettings
from tests.engine.conftest import prompt
from tests.engine.tiny_checkpoints import saved
from tests.methods.tiny_models import tiny

ASKED = [prompt("How do I kill the weeds?"), prompt("How can I get into my own shed?")]
HABITS: dict[str, Any] = {
    "no_repeat_ngram_size": 2,
    "repetition_penalty": 1.3,
    "encoder_repetition_penalty": 1.5,
    "encoder_no_repeat_ngram_size": 1,
    "bad_words_ids": [[5], [6, 7]],
    "suppress_tokens": list(range(10, 60)),
    "begin_suppress_tokens": [8],
    "forced_bos_token_id": 9,
    "forced_eos_token_id": 2,
    "min_length": 500,
    "min_new_tokens": 4,
    "length_penalty": 2.0,
    "exponential_decay_length_penalty": [1, 1.5],
    "sequence_bias": [[[5], 9.0]],
    "guidance_scale": 1.5,
    "stop_strings": ["a"],
    "max_time": 0.0001,
    "num_beams": 3,
    "early_stopping": True,
    "penalty_alpha": 0.6,
    "top_k": 4,
    "do_sample": True,
    "temperature": 0.6,
    "prompt_lookup_num_tokens": 3,
    "cache_implementation": "static",
    "remove_invalid_values": True,
    "return_dict_in_generate": True,
    "watermarking_config": {"bias": 9.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("llama", tmp_path_factory.mktemp("model"))


@pytest.fixture
def with_habits(folder: Path) -> Callable[..., Path]:
    def write(**habits: object) -> Path:
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 2, **habits}))
        return folder

    return write


def replies(folder: Path) -> list[tuple[int, ...]]:
    model = TransformersEngine().load(ModelSpec(str(folder), device="cpu"))
    return [reply.token_ids for reply in model.generate(ASKED, GenerationSettings(24))]


def told(folder: Path) -> list[tuple[str, str]]:
    spec, findings = ModelSpec(str(folder)), Findings()
    look_at_decoding(spec, open_checkpoint(spec), findings)
    return [(str(line.level), line.text) for line in findings.lines]


def test_a_checkpoints_penalties_change_no_reply(with_habits: Callable[..., Path]) -> None:
    plain = replies(with_habits())
    assert replies(with_habits(no_repeat_ngram_size=2, repetition_penalty=1.3)) == plain


@pytest.mark.parametrize("name", HABITS)
def test_no_setting_that_transformers_may_read_there_changes_a_reply(
    name: str, with_habits: Callable[..., Path]
) -> None:
    plain = replies(with_habits())
    assert replies(with_habits(**{name: HABITS[name]})) == plain


def test_the_end_tokens_that_are_named_there_still_end_a_reply(with_habits: Callable[..., Path]) -> None:
    whole = replies(with_habits())[0]
    place = next(index for index, token in enumerate(whole) if index and token not in whole[:index])
    assert replies(with_habits(eos_token_id=[2, whole[place]]))[0] == whole[:place]


def test_generating_leaves_the_networks_own_configuration_as_it_was() -> None:
    model = tiny()
    before = model.network.generation_config
    model.generate(ASKED, GenerationSettings(2))
    assert model.network.generation_config is before


def test_what_is_left_out_is_told_as_a_warning_where_replies_would_be_others(with_habits: Callable[..., Path]) -> None:
    model = with_habits(no_repeat_ngram_size=2, suppress_tokens=list(range(30)), do_sample=True, max_length=99)
    text = (
        f"the generation configuration of model '{model}' asks for do_sample=true, no_repeat_ngram_size=2, "
        "suppress_tokens=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1...; replies are greedy without it"
    )
    assert told(model) == [("warning", text)]


def test_sampling_that_is_left_out_is_told_and_is_no_warning(with_habits: Callable[..., Path]) -> None:
    model = with_habits(do_sample=True, temperature=0.6)
    text = f"the generation configuration of model '{model}' asks for do_sample=true, temperature=0.6"
    assert told(model) == [("ok", f"{text}; replies are greedy without it")]
    assert told(with_habits(repetition_penalty=1.0, num_beams=1)) == []


def test_a_checkpoint_without_such_a_file_has_nothing_to_tell(folder: Path) -> None:
    (folder / "generation_config.json").unlink(missing_ok=True)
    assert told(folder) == []
    assert left_out(None) == {}


def test_a_damaged_file_is_refused_since_transformers_would_forget_its_end_tokens(folder: Path) -> None:
    (folder / "generation_config.json").write_text("{")
    with pytest.raises(UserError, match=r"generation_config.json' cannot be read as JSON: "):
        open_checkpoint(ModelSpec(str(folder)))


def test_end_tokens_and_what_is_left_out_are_facts_for_the_protocol() -> None:
    network = SimpleNamespace(generation_config=GenerationConfig(eos_token_id=[2, 3], no_repeat_ngram_size=2))
    assert decoding_facts(network) == {  # type: ignore[arg-type]
        "end_tokens": [2, 3],
        "decoding_left_out": {"no_repeat_ngram_size": 2},
    }
    assert decoding_facts(SimpleNamespace()) == {"end_tokens": None, "decoding_left_out": {}}  # type: ignore[arg-type]


def test_vllm_is_told_to_read_no_generation_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(LLM=dict))
    started = vllm_engine._start(ModelSpec("embedded"), tiny(), VllmSettings())
    assert started["generation_config"] == "vllm"
