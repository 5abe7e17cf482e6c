from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from benchmarks.base import Message, Prompt, Reply
from harness.conformance.families import FAMILIES
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from methods.scans.classification import Classifier
from methods.scans.steering import Steered, Steering
from methods.scans.vectors import read_landmarks
from methods.wrapped import Wrapped
from tests.methods import literal_scans
from tests.methods.tiny_models import embedded_data, tiny

SHORT = GenerationSettings(max_new_tokens=4)
PROMPTS = [embedded_data().train[index] for index in (0, 200, 350, 500, 590)]
"""Attacked and plain, harmful and benign: of different lengths, so that a batch is padded."""


def steering(model: TransformersModel, safe_sign: int = -1, strength: float = 3.0) -> Steering:
    """Vectors after two blocks, and a threshold that calls some of `PROMPTS` unsafe and some safe."""
    generator = torch.Generator().manual_seed(1)
    width = int(model.network.get_input_embeddings().weight.shape[1])  # type: ignore[operator]
    vectors = {index: strength * torch.randn(width, generator=generator) for index in (0, 2)}
    reference = read_landmarks(model, embedded_data().harmful()[:4], "user_end").transition.mean(dim=0)[1:]
    classifier = Classifier(reference, "user_end")
    # Between two prompts, so that no rounding moves one across.
    between = float(classifier.similarities(model, PROMPTS).sort().values[1:3].mean())
    return Steering(vectors, classifier, between, safe_sign)


@cache
def known(family: str) -> tuple[TransformersModel, Steering]:
    model = tiny(family)
    return model, steering(model)


def signs_of(steering: Steering, model: TransformersModel, prompts: Sequence[Prompt] = PROMPTS) -> list[int]:
    return [decision.sign for decision in steering.decide(model, prompts)]


def count_hooks(model: TransformersModel) -> int:
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.network.modules())


@contextmanager
def recorded_logits(model: TransformersModel) -> Iterator[list[Tensor]]:
    """The last token's logits of every pass."""
    passes: list[Tensor] = []

    def record(_: nn.Module, __: object, output: object) -> None:
        passes.append(output.logits[:, -1])  # type: ignore[attr-defined]

    handle = model.network.register_forward_hook(record)
    yield passes
    handle.remove()


def generate(model: TransformersModel, steering: Steering, prompts: Sequence[Prompt] = PROMPTS) -> list[Reply]:
    with Steered(model, steering).hooked() as protected:
        return protected.generate(prompts, SHORT)


def said(reply: Reply) -> tuple[object, ...]:
    return reply.prompt_id, reply.token_ids, reply.text, reply.stop, reply.action["steered"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_of_mixed_signs_is_steered_as_by_the_letter_in_prefill_and_in_decode(family: str) -> None:
    model, arm = known(family)
    signs = signs_of(arm, model)
    assert set(signs) == {1, -1}
    literal = [
        literal_scans.speak(model, prompt, sign, arm.vectors, SHORT.max_new_tokens)
        for prompt, sign in zip(PROMPTS, signs, strict=True)
    ]
    with Steered(model, arm).hooked() as protected, recorded_logits(model) as passes:
        replies = protected.generate(PROMPTS, SHORT)
    assert [reply.token_ids for reply in replies] == [spoken.tokens for spoken in literal]
    generation = torch.stack(passes[-max(len(spoken.logits) for spoken in literal) :], dim=1)
    for row, spoken in zip(generation, literal, strict=True):
        torch.testing.assert_close(row[: len(spoken.logits)], spoken.logits, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral"])
def test_log_probabilities_are_those_of_the_letter(family: str) -> None:
    model, arm = known(family)
    texts = ["Sure, this is how to", "Sorry"]
    with Steered(model, arm).hooked() as protected:
        rows = protected.log_probabilities(PROMPTS, [texts] * len(PROMPTS))
    for prompt, sign, row in zip(PROMPTS, signs_of(arm, model), rows, strict=True):
        begun = model.encode(prompt).ids
        for text, found in zip(texts, row, strict=True):
            ids = [*begun, *model.encode_reply(text)[:-1]]
            logits = literal_scans.steered_logits(model, ids, len(begun) - 1, sign, arm.vectors)
            wanted = torch.log_softmax(logits, dim=-1)[range(len(begun) - 1, len(ids) - 1), ids[len(begun) :]]
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen3_moe"])
def test_a_batch_is_answered_as_its_prompts_are_one_by_one(family: str) -> None:
    model, arm = known(family)
    together = generate(model, arm)
    alone = [generate(model, arm, [prompt])[0] for prompt in PROMPTS]
    assert [said(reply) for reply in together] == [said(reply) for reply in alone]
    assert [reply.token_ids for reply in together] != [reply.token_ids for reply in model.generate(PROMPTS, SHORT)]


@pytest.mark.parametrize("family", FAMILIES)
def test_without_strength_every_logit_is_that_of_the_default_bit_for_bit(family: str) -> None:
    model, arm = known(family)
    still = replace(arm, vectors={index: 0 * vector for index, vector in arm.vectors.items()})
    with recorded_logits(model) as default:
        plain = model.generate(PROMPTS, SHORT)
    with Steered(model, still).hooked() as protected, recorded_logits(model) as steered:
        replies = protected.generate(PROMPTS, SHORT)
    assert [reply.token_ids for reply in replies] == [reply.token_ids for reply in plain]
    assert torch.equal(torch.stack(steered[-len(default) :]), torch.stack(default))


def test_safe_prompts_can_be_left_alone() -> None:
    model = tiny()
    arm = steering(model, safe_sign=0)
    signs = signs_of(arm, model)
    assert set(signs) == {1, 0}
    for sign, reply, default in zip(signs, generate(model, arm), model.generate(PROMPTS, SHORT), strict=True):
        assert (reply.token_ids == default.token_ids) == (sign == 0)


def test_a_reply_records_its_sign_and_similarity_beside_what_the_model_inside_recorded() -> None:
    class Noting(Wrapped):
        def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
            return [replace(reply, action={"flagged": False}) for reply in self.inner.generate(prompts, settings)]

    model, arm = known("llama")
    with Steered(Noting(model), arm).hooked() as protected:
        replies = protected.generate(PROMPTS, SHORT)
    similarities = arm.classifier.similarities(model, PROMPTS).tolist()
    assert [reply.action for reply in replies] == [
        {"flagged": False, "steered": sign, "similarity": pytest.approx(similarity, abs=1e-4)}
        for sign, similarity in zip(signs_of(arm, model), similarities, strict=True)
    ]


def test_a_decision_follows_its_prompt_through_a_model_that_rewrites_reorders_and_asks_twice() -> None:
    class Meddling(Wrapped):
        def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
            rewritten = [replace(prompt, messages=(*prompt.messages, Message("user", "Why?"))) for prompt in prompts]
            self.inner.generate(rewritten[:2], settings)
            return list(reversed(self.inner.generate(list(reversed(rewritten)), settings)))

    model, arm = known("llama")
    with Steered(Meddling(model), arm).hooked() as protected:
        replies = protected.generate(PROMPTS, SHORT)
    for prompt, sign, reply in zip(PROMPTS, signs_of(arm, model), replies, strict=True):
        asked = replace(prompt, messages=(*prompt.messages, Message("user", "Why?")))
        assert reply.token_ids == literal_scans.speak(model, asked, sign, arm.vectors, SHORT.max_new_tokens).tokens


def test_prompts_that_share_an_id_are_each_steered_by_their_own_decision() -> None:
    model, arm = known("llama")
    same_id = [replace(prompt, id="one") for prompt in (*PROMPTS, *PROMPTS[:2])]
    replies = generate(model, arm, same_id)
    alone = [generate(model, arm, [prompt])[0] for prompt in same_id]
    assert {reply.action["steered"] for reply in replies} == {1, -1}
    assert [said(reply) for reply in replies] == [said(reply) for reply in alone]
    texts = [["Sure"]] * len(same_id)
    with Steered(model, arm).hooked() as protected:
        together = protected.log_probabilities(same_id, texts)
        for row, prompt in zip(together, same_id, strict=True):
            single = protected.log_probabilities([prompt], texts[:1])[0][0]
            torch.testing.assert_close(row[0], single, atol=1e-5, rtol=1e-5)


def test_what_is_not_asked_of_the_steered_model_is_left_alone() -> None:
    model, arm = known("llama")
    default = model.generate(PROMPTS, SHORT)
    ids = torch.tensor([model.encode(PROMPTS[0]).ids])
    with torch.no_grad():
        logits = model.network(input_ids=ids).logits
        with Steered(model, arm).hooked() as protected:
            protected.generate(PROMPTS, SHORT)
            assert torch.equal(model.network(input_ids=ids).logits, logits)
            assert [reply.token_ids for reply in model.generate(PROMPTS, SHORT)] == [
                reply.token_ids for reply in default
            ]


def test_prompts_are_classified_without_steering() -> None:
    model, arm = known("llama")
    outside = arm.decide(model, PROMPTS)
    with Steered(model, arm).hooked() as protected:
        assert [reply.action for reply in protected.generate(PROMPTS, SHORT)] == [found.action for found in outside]
        assert arm.decide(protected, PROMPTS) == outside


def test_no_hook_and_no_decision_is_left_after_an_exception() -> None:
    class Broken(Wrapped):
        def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
            self.inner.generate(prompts, settings)
            raise ZeroDivisionError

    model, arm = known("llama")
    protected = Steered(Broken(model), arm)
    with pytest.raises(ZeroDivisionError), protected.hooked():
        assert count_hooks(model) == len(arm.vectors)
        protected.generate(PROMPTS, SHORT)
    assert count_hooks(model) == 0
    assert not protected._signs


def test_a_similarity_that_is_not_a_number_is_named() -> None:
    model, arm = known("llama")
    broken = replace(arm, classifier=replace(arm.classifier, reference=arm.classifier.reference * float("nan")))
    with pytest.raises(ArithmeticError) as caught:
        generate(model, broken)
    assert str(caught.value) == f"The similarity of '{PROMPTS[0].id}' to harmful prompts is NaN."


def test_the_time_of_the_classification_is_part_of_the_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    class Timeless(Wrapped):
        def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
            return [replace(reply, seconds=1.0) for reply in self.inner.generate(prompts, settings)]

    model, arm = known("llama")
    times = iter((10.0, 20.0))
    with Steered(Timeless(model), arm).hooked() as protected:
        monkeypatch.setattr("methods.scans.steering.monotonic", lambda: next(times))
        replies = protected.generate(PROMPTS, SHORT)
    assert [reply.seconds for reply in replies] == [1.0 + 10.0 / len(PROMPTS)] * len(PROMPTS)
