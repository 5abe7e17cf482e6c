"""vLLM on the embedded model, started once. `make test-vllm` makes the environment for it."""

import gc
import os
from collections.abc import Iterator

import pytest

from harness.base import ModelSpec
from harness.vllm_engine import VllmEngine
from harness.vllm_model import VllmModel

os.environ.setdefault("VLLM_HOST_IP", "127.0.0.1")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")


@pytest.fixture(scope="session")
def served() -> Iterator[VllmModel]:
    pytest.importorskip("vllm", reason="vLLM is not installed; make test-vllm installs it")
    yield VllmEngine().load(ModelSpec("embedded", device="cpu"))
    gc.collect()
