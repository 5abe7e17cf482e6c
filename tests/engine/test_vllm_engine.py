"""The `vllm` engine before vLLM itself is needed: its settings, what it refuses, and how parity is counted."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.base import Reply
from benchmarks.errors import UserError
from harness import vllm_engine
from harness.base import ModelSpec
from harness.parity import compare_replies, summary
from harness.registry import engine
from harness.serving import learner, preferred_batch, serving
from harness.vllm_engine import VllmEngine
from tests.methods.tiny_models import tiny


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_engine, "find_spec", lambda _: object())


@pytest.mark.usefixtures("installed")
def test_engine_settings_stand_in_brackets() -> None:
    made = engine("vllm[tensor_parallel_size=2,max_model_len=4096]")
    assert isinstance(made, VllmEngine)
    assert made.settings.tensor_parallel_size == 2
    assert made.settings.max_model_len == 4096
    assert not made.settings.runs_modules
    assert VllmEngine().settings.runs_modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vllm[tensor_paralel_size=2]", "No setting of 'vllm' named 'tensor_paralel_size'. Did you mean"),
        ("vllm[tensor_parallel_size=0]", "Setting 'tensor_parallel_size' of 'vllm' is 0; it must be a whole number at"),
        ("transformers[eager=true]", "Engine 'transformers' has no settings, so 'eager' cannot be set."),
        ("vlm[enforce_eager=true]", "No engine named 'vlm'. Did you mean 'vllm'? Available: "),
    ],
)
@pytest.mark.usefixtures("installed")
def test_engine_settings_that_are_wrong_are_told_in_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError) as stopped:
        engine(name)
    assert str(stopped.value).startswith(message)


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_engine, "find_spec", lambda _: None)
    with pytest.raises(UserError) as stopped:
        engine("vllm")
    assert str(stopped.value) == ("Engine 'vllm' needs a package that is not installed: pip install 'equipoise[vllm]'.")


def test_quantised_loading_is_refused() -> None:
    with pytest.raises(UserError) as stopped:
        VllmEngine().load(ModelSpec("embedded", quantize="4bit"))
    assert str(stopped.value) == (
        "Engine 'vllm' serves checkpoints as they are and cannot load 'embedded' in 4bit. "
        "Leave --quantize out, or use --engine transformers."
    )


def test_parity_counts_same_replies_and_tells_where_the_others_part() -> None:
    def said(name: str, *ids: int) -> Reply:
        return Reply(name, "", ids)

    served = [said("a", 1, 2), said("b", 1, 2, 3), said("c", 1, 2), said("d", 5)]
    local = [said("a", 1, 2), said("b", 1, 9, 3), said("c", 1, 2, 3), said("d", 6)]
    found = compare_replies(served, local)
    assert found == {"replies": 4, "identical": 1, "first_divergence": {"b": 1, "c": 2, "d": 0}}
    sums = {"replies": 8, "identical": 2, "first_diverging_prompt": "d", "diverging_at_token": 0}
    assert summary([found, found]) == sums
    assert summary([compare_replies(served, served)]) == {"replies": 4, "identical": 4}
    assert summary([]) == {}


def test_without_a_server_arms_are_fitted_and_applied_as_ever() -> None:
    model, fitted = tiny(), SimpleNamespace(applied=lambda one: ("applied to", one))
    assert learner(model) is model
    assert serving(cast(Any, fitted), model) == ("applied to", model)
    assert preferred_batch(model) == 32
