"""The refusal direction on a real chat model of 135 M parameters, which refuses hardly anything by itself."""

from dataclasses import replace

import pytest

from benchmarks.base import Split
from harness.transformers_model import TransformersModel
from methods.refusal_direction.method import FittedRefusalDirection, RefusalDirection
from methods.refusal_direction.questions import refusal_tokens
from methods.refusal_direction.selection import next_token, refusal_scores
from methods.refusal_direction.settings import RefusalDirectionSettings
from methods.residual import changed_outputs
from tests.methods.tiny_models import embedded_data

pytestmark = pytest.mark.real
SMALL = RefusalDirectionSettings(train_samples=24, dev_samples=8)


@pytest.fixture(scope="module")
def model(smollm2: TransformersModel) -> TransformersModel:
    return smollm2


@pytest.fixture(scope="module")
def fitted(model: TransformersModel) -> FittedRefusalDirection:
    return fit(model, SMALL)


def fit(model: TransformersModel, settings: RefusalDirectionSettings) -> FittedRefusalDirection:
    found = RefusalDirection(settings).fit(model, embedded_data(), 0, lambda *_: None)
    assert isinstance(found, FittedRefusalDirection)
    return found


def log_odds(model: TransformersModel, arm: FittedRefusalDirection | None) -> float:
    """Mean log-odds of refusing harmful dev questions."""
    prompts = [model.encode(prompt.without_attack()) for prompt in embedded_data().harmful(Split.DEV)[::10]]
    blocks = [] if arm is None else [model.blocks[arm.layer - 1]]
    with changed_outputs(blocks, lambda _, stream: stream + (arm.direction if arm else 0.0)):
        return float(refusal_scores(next_token(model, prompts), refusal_tokens(model, embedded_data())).mean())


def test_a_model_that_hardly_refuses_is_fitted_on_all_questions_and_told_so(fitted: FittedRefusalDirection) -> None:
    facts = fitted.diagnostics()
    assert facts["train_questions"] == [24, 24]
    assert any(text.startswith("unfiltered: the model refuses") for text in facts["warnings"])


def test_the_chosen_direction_is_gentle_as_it_is_served(fitted: FittedRefusalDirection) -> None:
    facts = fitted.diagnostics()
    chosen = next(one for one in facts["candidates"] if one["layer"] == fitted.layer)
    assert chosen["served_kl"] <= SMALL.max_kl or (chosen["kl"] <= SMALL.max_kl and chosen["induce"] >= 0)


def test_few_layers_are_measured_in_full(fitted: FittedRefusalDirection) -> None:
    facts = fitted.diagnostics()
    assert len(facts["coarse_candidates"]) == 8
    assert len(facts["candidates"]) <= 5
    assert fitted.cost.stages["selection"] < 23 * 3 * 8 / 1.3


def test_adding_it_makes_refusal_likelier_and_more_so_than_a_random_vector(
    model: TransformersModel, fitted: FittedRefusalDirection
) -> None:
    control = fit(model, replace(SMALL, layer=fitted.layer, direction="random"))
    moved = log_odds(model, fitted) - log_odds(model, None)
    print(f"moved by {moved:.3f}, by the control {log_odds(model, control) - log_odds(model, None):.3f}")
    assert moved > 0
    assert moved > log_odds(model, control) - log_odds(model, None)
