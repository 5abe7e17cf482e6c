import pytest
import torch

from benchmarks.base import Intent
from harness.transformers_model import TransformersModel
from methods.base import GenerationSettings
from methods.scans.method import FittedScans, Scans
from methods.scans.settings import ScansSettings
from metrics.degenerate import flaw
from tests.methods.literal_dinm import SILENT
from tests.methods.literal_scans import refusal_vector, states
from tests.real.refusing import few, log_odds

pytestmark = pytest.mark.real
DATA = few(12)
HARMFUL = [prompt for prompt in DATA.dev if prompt.intent is Intent.HARMFUL][:6]


def fit(model: TransformersModel, direction: str = "difference", threshold_rule: str = "dev") -> FittedScans:
    """A threshold of -1 steers every prompt towards refusal, so that the direction alone counts."""
    settings = ScansSettings(anchors=12, direction=direction, threshold_rule=threshold_rule, threshold=-1.0)
    fitted = Scans(settings).fit(model, DATA, 0, SILENT)
    assert isinstance(fitted, FittedScans)
    return fitted


@pytest.fixture(scope="module")
def fitted(smollm2: TransformersModel) -> FittedScans:
    return fit(smollm2)


def test_what_is_added_is_a_share_of_the_difference_of_the_anchors_means_by_the_letter(
    smollm2: TransformersModel, fitted: FittedScans
) -> None:
    assert list(fitted.steering.vectors) == list(range(9, 18))
    harmful, benign = (
        [prompt for prompt in DATA.train if prompt.intent is intent] for intent in (Intent.HARMFUL, Intent.BENIGN)
    )
    last = [
        torch.stack([states(smollm2, smollm2.encode(prompt).ids)[12][-1] for prompt in side])
        for side in (harmful, benign)
    ]
    distance = float((last[0].mean(dim=0) - last[1].mean(dim=0)).norm())
    literal = distance / 9 * refusal_vector(smollm2, harmful, benign, 12)
    torch.testing.assert_close(fitted.steering.vectors[12], literal, atol=1e-3, rtol=1e-3)


def test_steering_makes_refusals_likelier_and_more_so_than_a_random_direction(smollm2: TransformersModel) -> None:
    default = log_odds(smollm2, HARMFUL)
    with fit(smollm2, threshold_rule="fixed").applied(smollm2) as protected:
        steered = log_odds(protected, HARMFUL)
    with fit(smollm2, "random", "fixed").applied(smollm2) as other:
        control = log_odds(other, HARMFUL)
    assert steered > default
    assert steered > control


def test_replies_to_prompts_steered_either_way_are_not_degenerate(
    smollm2: TransformersModel, fitted: FittedScans
) -> None:
    with fitted.applied(smollm2) as protected:
        replies = protected.generate([*HARMFUL[:3], *DATA.dev[-3:]], GenerationSettings(32))
    assert not any(flaw(reply.text) for reply in replies)
