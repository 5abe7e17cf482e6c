"""How many of its neurons NeuronTune scales in a study."""

from collections.abc import Mapping
from typing import Any

from harness.studies.base import Request

EMBEDDED: Mapping[str, Any] = {
    "safety_neurons": 50,
    "utility_neurons": 50,
    "utility_samples": 8,
    "local_samples": 8,
}
"""Counts of the built-in model's 3,072 neurons, and half the samples, which its short questions allow; elsewhere the
method's defaults, the paper's 500 and 1,500 as shares."""


def settings_of(request: Request) -> dict[str, Any]:
    """NeuronTune's settings in a study: counts that suit the model, under what the user sets."""
    return {**(EMBEDDED if request.is_embedded else {}), **request.settings}
