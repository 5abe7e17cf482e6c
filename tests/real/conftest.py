"""A real chat model for tests: SmolLM2-135M-Instruct, where the package that carries it is installed."""

import pytest

from benchmarks.errors import UserError
from harness.base import ModelSpec
from harness.models import MODELS
from harness.transformers_engine import TransformersEngine
from harness.transformers_model import TransformersModel


@pytest.fixture(scope="session")
def smollm2() -> TransformersModel:
    try:
        MODELS["smollm2"].find()
    except UserError as error:
        pytest.skip(str(error))
    return TransformersEngine().load(ModelSpec("smollm2", device="cpu"))
