import json
from pathlib import Path

import torch

from methods.base import Cost, Fitted, Foldable, Requirements
from methods.default import Default, DefaultSettings
from tests.methods.tiny_models import embedded_data, tiny


def fit() -> Fitted:
    return Default(DefaultSettings()).fit(tiny(), embedded_data(), 0, lambda stage, done, total: None)  # noqa: ARG005


def test_the_default_arm_is_the_model_itself() -> None:
    model, untouched = tiny(), tiny().network.state_dict()
    with fit().applied(model) as protected:
        assert protected is model
        assert all(torch.equal(tensor, untouched[name]) for name, tensor in model.network.state_dict().items())


def test_the_default_arm_folds_to_nothing_and_costs_nothing() -> None:
    fitted = fit()
    assert isinstance(fitted, Foldable)
    assert fitted.fold(tiny().network.state_dict(), tiny().blocks) == {}
    assert fitted.cost == Cost()
    assert fitted.diagnostics() == {}


def test_the_default_arm_is_saved_and_loaded(tmp_path: Path) -> None:
    fit().save(tmp_path)
    assert json.loads((tmp_path / "artefact.json").read_text()) == {"method": "default"}
    model = tiny()
    with Default.load(tmp_path).applied(model) as protected:
        assert protected is model


def test_the_default_arm_needs_nothing_of_a_model() -> None:
    assert Default.needs.missing_from(Requirements()) == ()
    Default(DefaultSettings()).check(tiny(), embedded_data())
