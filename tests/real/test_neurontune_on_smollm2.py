"""NeuronTune on a real chat model of 135 M parameters, where its formulas written literally still can be run."""

import copy
import random
from dataclasses import replace

import pytest
import torch

from benchmarks.base import Intent
from harness.transformers_model import TransformersModel
from methods.metering import Meter
from methods.neurontune.attribution import attribute, contrast_case, zero_case
from methods.neurontune.method import FittedNeuronTune, NeuronTune
from methods.neurontune.modulation import Modulation, Theta
from methods.neurontune.settings import NeuronTuneSettings
from methods.neurontune.tuning_pairs import SafetyPair, TuningPairs
from methods.passes import Passes
from methods.teacher_forcing import collate, encode_pair, negative_log_likelihood, reply_logits
from tests.methods.literal_attribution import literal_attribution, literal_objective, reply_predictions
from tests.methods.literal_modulation import SELECTION, literal_descent
from tests.methods.tiny_models import attacked_and_plain, embedded_data

pytestmark = pytest.mark.real
SILENT = lambda stage, done, total: None  # noqa: E731, ARG005
REFUSAL = "I'm sorry, but I can't help with that."
COARSE = NeuronTuneSettings(path_steps=1, path_refinements=0)
"""As few points as the slow oracle likes."""


@pytest.fixture(scope="module")
def model(smollm2: TransformersModel) -> TransformersModel:
    return smollm2


@pytest.mark.parametrize("is_attacked", [True, False], ids=["under attack", "from zero"])
def test_scores_are_those_of_equation_4_written_literally(model: TransformersModel, is_attacked: bool) -> None:
    attacked, plain = attacked_and_plain(model, REFUSAL)
    if is_attacked:
        ours = attribute(model, contrast_case(model, attacked, plain, COARSE.position), COARSE)
        literal = literal_attribution(model, attacked, plain, COARSE)
    else:
        ours = attribute(model, zero_case(plain, COARSE.position), COARSE)
        literal = literal_attribution(model, plain, None, COARSE)
    largest, off = literal.scores.abs().max(), (ours.scores - literal.scores).abs().max()
    print(f"largest difference {off / largest:.1e} of the largest score")
    assert off < 1e-3 * largest


def test_scores_sum_to_the_change_of_the_objective(model: TransformersModel) -> None:
    attacked, plain = attacked_and_plain(model, REFUSAL)
    settings = NeuronTuneSettings()
    assert (
        attribute(model, contrast_case(model, attacked, plain, settings.position), settings).completeness_error < 0.02
    )


def test_the_loss_is_that_of_float64(model: TransformersModel) -> None:
    pairs = attacked_and_plain(model, REFUSAL)
    batch = collate(pairs, model.device)
    exact = TransformersModel("exact", copy.deepcopy(model.network).double(), model.tokenizer)  # type: ignore[arg-type]
    with torch.no_grad():
        found = negative_log_likelihood(reply_logits(model, batch), batch)
        wanted = [
            -literal_objective(reply_predictions(exact, pair), pair.reply, "mean_log_probability") for pair in pairs
        ]
    assert found.tolist() == pytest.approx([float(one) for one in wanted], rel=1e-5)


def pairs_of(model: TransformersModel) -> TuningPairs:
    """One pair a set, each of another question."""
    plain = [prompt for prompt in embedded_data().train if not prompt.attack]
    bad = [prompt for prompt in plain if prompt.intent is Intent.HARMFUL][:3]
    good = [prompt for prompt in plain if prompt.references.useful][:3]
    safety = [SafetyPair(encode_pair(model, prompt, REFUSAL), None) for prompt in bad]
    utility = [encode_pair(model, prompt, prompt.references.useful or "", 16) for prompt in good]
    return TuningPairs(safety[:1], utility[:1], safety[1:2], utility[1:2], safety[2:], utility[2:])


def test_one_outer_step_is_that_of_algorithm_1_by_hand(model: TransformersModel) -> None:
    pairs = pairs_of(model)
    settings = NeuronTuneSettings(inner_steps=1, epochs=1, batch_size=1, meta_reach=0.1)

    class LastEpoch(Modulation):
        def _validate(self, theta: Theta, epoch: int) -> float:  # noqa: ARG002
            return -float(epoch)

    work = LastEpoch(model, SELECTION, pairs, settings, Meter(), Passes(settings.tokens_per_pass))
    found = torch.cat(list(work.run(random.Random(0), SILENT).theta))
    wanted = torch.cat(list(literal_descent(model, pairs, settings)))
    assert (wanted - torch.cat(list(work.start()))).abs().max() == pytest.approx(0.1, rel=1e-3)
    assert (found - wanted).abs().max() < 1e-3 * 0.1


def test_a_fit_lowers_its_loss_on_dev_prompts(model: TransformersModel) -> None:
    settings = NeuronTuneSettings(
        utility_samples=1, path_steps=1, path_refinements=0, epochs=4, inner_steps=1, batch_size=6,
        local_samples=2, validation_samples=6, reply_tokens=12, meta_reach=0.5,
    )  # fmt: skip
    fitted = NeuronTune(settings).fit(model, embedded_data(), 0, SILENT)
    assert isinstance(fitted, FittedNeuronTune)
    assert [len(fitted.scaling.safety.block), len(fitted.scaling.utility.block)] == [50, 151]
    losses = fitted.diagnostics()["validation_loss"]
    assert min(losses) < losses[0]
    again = NeuronTune(replace(settings, pinpointing="random")).fit(model, embedded_data(), 0, SILENT)
    assert again.diagnostics()["tuning_prompts"] == fitted.diagnostics()["tuning_prompts"]
