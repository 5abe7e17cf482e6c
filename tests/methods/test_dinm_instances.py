import random
from dataclasses import replace

import pytest

from benchmarks.base import AlignmentData, Prompt
from benchmarks.errors import UserError
from methods.dinm.instances import check_data, sample
from methods.dinm.method import Dinm
from methods.dinm.settings import DinmSettings
from tests.methods.tiny_models import embedded_data, tiny


def test_instances_are_attacked_questions_with_plain_benign_ones() -> None:
    found = sample(embedded_data(), 150, random.Random(0))
    assert len({pair.attacked.id for pair in found}) == len({pair.benign.id for pair in found}) == 150
    for pair in found:
        assert pair.attacked.attack and pair.attacked.references.safe and pair.attacked.references.unsafe
        assert pair.benign.attack is None and pair.benign.references.useful


def without(missing: str) -> AlignmentData:
    """The embedded data with one kind of reference missing from every train prompt."""

    def changed(prompt: Prompt) -> Prompt:
        return replace(prompt, references=replace(prompt.references, **{missing: None}))

    return AlignmentData("poor", tuple(changed(prompt) for prompt in embedded_data().train), embedded_data().dev)


PAIR = "2 attacked harmful train prompts with a safe and an unsafe reply"


@pytest.mark.parametrize(("missing", "what"), [
    ("safe", PAIR), ("unsafe", PAIR), ("useful", "1 plain benign train prompts with a useful answer"),
])  # fmt: skip
def test_data_without_what_is_learnt_from_is_refused(missing: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        check_data(without(missing), 2)
    assert str(caught.value) == f"'dinm' needs {what}; alignment data 'poor' has 0."


def test_more_instances_than_the_data_holds_are_refused() -> None:
    Dinm(DinmSettings(instances=150)).check(tiny(), embedded_data())
    with pytest.raises(UserError, match=r"needs 151 attacked .*; alignment data 'embedded' has 150\.$"):
        Dinm(DinmSettings(instances=151)).check(tiny(), embedded_data())
