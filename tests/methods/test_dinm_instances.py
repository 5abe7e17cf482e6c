import random
from dataclasses import replace

import pytest

from benchmarks.base import AlignmentData, Prompt, References
from benchmarks.errors import UserError
from methods.base import GenerationSettings
from methods.dinm.instances import check_data, encode, kinds, sample
from methods.dinm.method import Dinm
from methods.dinm.settings import DinmSettings, resolved
from tests.methods.literal_dinm import SILENT, instance
from tests.methods.tiny_models import embedded_data, tiny


def test_instances_are_attacked_questions_with_plain_benign_ones() -> None:
    found = sample(embedded_data(), 150, random.Random(0))
    assert len({pair.harmful.id for pair in found}) == len({pair.benign.id for pair in found}) == 150
    for pair in found:
        assert pair.harmful.attack and pair.harmful.references.safe and pair.harmful.references.unsafe
        assert pair.benign.attack is None and pair.benign.references.useful


def without(missing: str) -> AlignmentData:
    """The embedded data with one kind of reference missing from every train prompt."""

    def changed(prompt: Prompt) -> Prompt:
        return replace(prompt, references=replace(prompt.references, **{missing: None}))

    return AlignmentData("poor", tuple(changed(prompt) for prompt in embedded_data().train), embedded_data().dev)


@pytest.mark.parametrize(("missing", "what"), [
    ("safe", "2 harmful train prompts with a safe reply"),
    ("useful", "1 plain benign train prompts with a useful answer"),
])  # fmt: skip
def test_data_without_what_is_learnt_from_is_refused(missing: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        check_data(without(missing), 2)
    assert str(caught.value) == f"'dinm' needs {what}; alignment data 'poor' has 0."


def test_more_instances_than_the_data_holds_are_refused() -> None:
    there = len(embedded_data().harmful())
    Dinm(DinmSettings(instances=there)).check(tiny(), embedded_data())
    with pytest.raises(UserError) as caught:
        Dinm(DinmSettings(instances=there + 1)).check(tiny(), embedded_data())
    assert str(caught.value) == (
        f"'dinm' needs {there + 1} harmful train prompts with a safe reply; alignment data 'embedded' has {there}."
    )


def test_attacked_questions_come_first_and_plain_ones_fill_up() -> None:
    attacked = [prompt for prompt in embedded_data().harmful() if prompt.attack]
    plain = [replace(prompt.without_attack(), id=f"plain/{prompt.id}") for prompt in attacked[5:]]
    few = AlignmentData("few", (*attacked[:2], *plain, *embedded_data().benign()), ())
    found = sample(few, 5, random.Random(0))
    assert {pair.harmful.id for pair in found[:2]} == {prompt.id for prompt in attacked[:2]}
    assert len({pair.harmful.id for pair in found[2:]} & {prompt.id for prompt in plain}) == 3
    assert kinds(found)["questions"] == ["attacked"] * 2 + ["plain"] * 3


def test_data_of_plain_questions_without_unsafe_replies_is_learnt_from_and_the_fit_says_so() -> None:
    plain = tuple(
        replace(prompt.without_attack(), references=References(safe=prompt.references.safe), id=f"plain/{prompt.id}")
        for prompt in without("unsafe").harmful()
        if prompt.attack
    )
    data, model = AlignmentData("plain", (*plain, *embedded_data().benign()), ()), tiny()
    method = Dinm(DinmSettings(instances=2, steps=2, learning_rate=3e-3))
    method.check(model, data)
    fitted = method.fit(model, data, 0, SILENT)
    facts = fitted.diagnostics()
    assert (facts["questions"], facts["unsafe_replies"]) == (["plain"] * 2, ["the model's own"] * 2)
    assert fitted.cost.stages["own replies"] == 2
    assert all(losses[1] < losses[0] for losses in facts["losses"])


def test_where_the_unsafe_reply_is_missing_the_models_own_is_compared() -> None:
    model, pair, settings = tiny(), instance(), resolved(DinmSettings())
    bare = pair._replace(harmful=replace(pair.harmful, references=References(safe=pair.harmful.references.safe)))
    given, own = encode(model, pair, settings), encode(model, bare, settings)
    (reply,) = model.generate([pair.harmful], GenerationSettings(max_new_tokens=len(given.safe) + 1))
    assert own.unsafe == reply.token_ids != given.unsafe
    assert own._replace(unsafe=given.unsafe) == given
