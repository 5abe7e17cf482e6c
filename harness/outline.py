"""A model without its weights, of configuration and tokenizer: what methods check before any work needs no more."""

from collections.abc import Sequence
from functools import partial
from inspect import getdoc
from typing import TYPE_CHECKING

from benchmarks.base import AlignmentData
from harness.base import ModelSpec
from harness.checkpoints import Checkpoint, open_checkpoint
from harness.findings import Findings, Level
from harness.loading_errors import reading
from harness.plan import PlannedArm, check_arm, check_model
from harness.prompting import Prompting
from harness.template_facts import check_template
from harness.useful_replies import as_if_completed
from methods.unusable import Unusable

if TYPE_CHECKING:
    from harness.transformers_model import TransformersModel


def outline(spec: ModelSpec, checkpoint: Checkpoint) -> "TransformersModel | None":
    """The model with its blocks, its name and its prompts; None where code of its own would have to build it.

    Raises:
        UserError: If no network can be made of the configuration.
    """
    if spec.trust_remote_code:
        return None
    import torch
    from transformers import AutoModelForCausalLM

    from harness.transformers_model import TransformersModel

    with torch.device("meta"), reading(spec, "configuration"):
        network = AutoModelForCausalLM.from_config(checkpoint.config)
    return TransformersModel(spec.name, network, checkpoint.tokenizer, prompting(spec, checkpoint))


def prompting(spec: ModelSpec, checkpoint: Checkpoint) -> Prompting:
    """How a model is asked."""
    return Prompting(checkpoint.tokenizer, spec.system_prompt, spec.today, spec.control_tokens)


def checked_without_weights(spec: ModelSpec, arms: Sequence[PlannedArm], data: AlignmentData) -> tuple[PlannedArm, ...]:
    """The arms of a run as `check_arm` gives them, once the model was found and its parts but the weights were read.

    Raises:
        UserError: If it cannot be found or read, or an arm refuses it or the data.
    """
    checkpoint = open_checkpoint(spec)
    check_template(spec.name, prompting(spec, checkpoint))
    model = outline(spec, checkpoint)
    if model is None:
        return tuple(arms)
    check_model(arms, model)
    return tuple(check_arm(arm, model, as_if_completed(data)) for arm in arms)


def look_at_methods(
    spec: ModelSpec, checkpoint: Checkpoint | None, arms: Sequence[PlannedArm], data: AlignmentData, findings: Findings
) -> None:
    """Tell what keeps an arm from this model or this data; without a checkpoint, that nothing can be told."""
    model = findings.attempt("model", lambda: outline(spec, checkpoint)) if checkpoint else None
    if model is None:
        text = "not checked: this model can be looked at only once it is loaded; the run does it before its first fit"
        return findings.add("methods", Level.WARNING, text)
    for arm in arms:
        if model.offers.weights:  # what a quantised model lacks is told with the model
            findings.attempt("methods", partial(check_model, (arm,), model))
        checked = findings.attempt("methods", partial(check_arm, arm, model, as_if_completed(data)))
        if checked and isinstance(checked.method, Unusable):
            findings.add("methods", Level.WARNING, f"{arm.label} will fail: {getdoc(checked.method)}")
