"""CAVGAN's detector on a real chat model of 135 M parameters."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.base import AlignmentData, Split
from harness.transformers_model import TransformersModel
from methods.cavgan.method import Cavgan, FittedCavgan
from methods.cavgan.settings import CavganSettings
from tests.methods.tiny_models import embedded_data

pytestmark = pytest.mark.real
SMALL = CavganSettings(questions=24, question_kind="plain")


def data() -> AlignmentData:
    """Templated questions, the benign ones from two sources: those that ask, and those that ask for something."""

    def by_form(split: Split) -> list[str]:
        return ["asking" if prompt.plain.endswith("?") else "telling" for prompt in embedded_data().benign(split)]

    train, dev = (
        (
            *embedded_data().harmful(split),
            *(
                replace(prompt, source=name)
                for prompt, name in zip(embedded_data().benign(split), by_form(split), strict=True)
            ),
        )
        for split in (Split.TRAIN, Split.DEV)
    )
    return AlignmentData("two forms", train, dev)


@pytest.fixture(scope="module")
def model(smollm2: TransformersModel) -> TransformersModel:
    return smollm2


def fit(model: TransformersModel, settings: CavganSettings) -> FittedCavgan:
    found = Cavgan(settings).fit(model, data(), 0, lambda *_: None)
    assert isinstance(found, FittedCavgan)
    return found


@pytest.fixture(scope="module")
def facts(model: TransformersModel) -> Mapping[str, Any]:
    return fit(model, SMALL).diagnostics()


def test_the_detector_finds_malice_and_lets_every_benign_source_pass(facts: Mapping[str, Any]) -> None:
    print({key: value for key, value in facts.items() if "by_layer" in key or "flagged" in key})
    assert sorted(facts["benign_sources_held_out_in_turn"]) == ["asking", "telling"]
    assert min(facts["flagged_share_of_malicious_dev_questions"].values()) > 0.7
    assert max(facts["flagged_share_of_benign_dev_questions"].values()) < 0.3


def test_the_loss_of_the_detector_falls(facts: Mapping[str, Any]) -> None:
    assert facts["discriminator_loss"][-1] < facts["discriminator_loss"][0]


def test_the_control_with_shuffled_labels_separates_less(model: TransformersModel, facts: Mapping[str, Any]) -> None:
    layer = facts["layer"]
    control = fit(model, replace(SMALL, layer=layer, labels="shuffled_labels")).diagnostics()
    assert control["margin_by_layer"][str(layer)] < facts["margin_by_layer"][str(layer)] / 2
