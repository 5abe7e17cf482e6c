"""A model whose numbers overflow gives no empty replies: the arm fails, with the dtype and what may help."""

from typing import cast

import pytest
import torch
from torch import Tensor

from harness.finite import FiniteLogits, NotFiniteError, not_finite
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from tests.engine.conftest import prompt
from tests.methods.tiny_models import tiny

ASKED = [prompt("How do I kill the weeds?"), prompt("How can I get into my own shed?")]


def overflowing(dtype: torch.dtype) -> TransformersModel:
    """Its last norm takes every logit beyond what the dtype holds."""
    model = tiny()
    network = model.network.to(dtype)
    network.get_parameter("model.norm.weight").data.fill_(torch.finfo(dtype).max)
    return model


def told_of(dtype: torch.dtype) -> str:
    model = overflowing(dtype)
    with pytest.raises(NotFiniteError) as told:
        model.generate(ASKED, GenerationSettings(4))
    assert model.running is None
    return str(told.value)


def test_an_overflow_while_generating_names_the_dtype_and_what_would_hold_the_number() -> None:
    length = max(len(tiny().encode(one).ids) for one in ASKED)
    told = told_of(torch.float16)
    assert told.startswith(f"A logit of 'tiny-llama' at token {length} is ")
    assert told.endswith(" in float16. It holds nothing beyond 65,504: try --dtype bfloat16 or float32.")
    assert told_of(torch.bfloat16).endswith(" in bfloat16. Try --dtype float32.")
    assert told_of(torch.float32).endswith(" in float32. The weights are damaged, or the arm broke the model.")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_one_number_that_is_none_is_enough(number: float) -> None:
    logits = torch.zeros(3, 5)
    logits[1, 2] = number
    with pytest.raises(NotFiniteError, match=f"A logit of 'm' at token 7 is {number} in float16"):
        FiniteLogits("m", torch.float16)(torch.zeros(3, 7, dtype=torch.long), logits)


def test_a_token_that_is_ruled_out_is_no_overflow_but_a_row_of_nothing_else_is() -> None:
    logits = torch.zeros(2, 5)
    logits[:, 0] = -torch.inf
    ids = torch.zeros(2, 1, dtype=torch.long)
    assert cast(Tensor, FiniteLogits("m", torch.float16)(ids, logits)) is logits
    logits[1] = -torch.inf
    with pytest.raises(NotFiniteError, match="is -inf in float16"):
        FiniteLogits("m", torch.float16)(ids, logits)


def test_a_dtype_is_named_as_the_flag_has_it() -> None:
    assert str(not_finite("A log-probability of the reply to 'q'", float("nan"), torch.bfloat16)) == (
        "A log-probability of the reply to 'q' is nan in bfloat16. Try --dtype float32."
    )
