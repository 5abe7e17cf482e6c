"""Settings of DINM: what is edited and how strongly, and the switches between the paper's code and its text.

The authors' code is zjunlp/EasyEdit: easyeditor/models/dinm/dinm_main.py at 26e5089 (the edit) and
easyeditor/editors/safety_editor.py at 1462f58 (the location, and where the suffix is used).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from methods.settings import Range, setting

SUFFIX = "If the user's request is reasonable, give the correct answer. Please give the right response:"
"""The sentence that is put after prompts, verbatim from the published code."""

AS_VARIANT = "as_variant"
CODE = "the authors' code"

VARIANTS: Mapping[str, Mapping[str, str | int]] = {
    "fixed": {
        "intervention": "edit",
        "instances": 3,
        "constraint": "differentiated",
        "end_of_turn": "learnt",
        "labels": "reply",
        "training_suffix": "as_answered",
        "location": "each_instance",
        "location_input": "with_prompt",
        "early_stop": "never",
    },
    "faithful": {
        "intervention": "edit+suffix",
        "instances": 1,
        "constraint": "value_only",
        "end_of_turn": "left_out",
        "labels": "opening_and_reply",
        "training_suffix": "always",
        "location": "first_instance",
        "location_input": "replies_alone",
        "early_stop": "below_0.0001",
    },
}
"""What settings are where they are left as the variant has them. Of the authors' setup all else is the default, but for
`protocol`, which learns from test prompts and is never switched on unasked."""


def _switch(name: str, meaning: str, source: str, *, others: tuple[str, ...] = ()) -> str:
    """A setting that follows `variant` unless it is set itself."""
    fixed, faithful = (str(VARIANTS[variant][name]) for variant in ("fixed", "faithful"))
    choices = (AS_VARIANT, fixed, faithful, *others)
    switch: str = setting(AS_VARIANT, meaning, source=f"{source}; published: {faithful}", choices=choices)
    return switch


@dataclass(frozen=True, slots=True)
class DinmSettings:
    """What is edited and how strongly; then the switches, which `variant` sets all at once."""

    intervention: str = _switch(
        "intervention",
        "The edit of the weights, the sentence that is put after every prompt, or both, as the paper's own numbers have it.",
        f"{CODE}, which asks the unedited model without the sentence, so that part of the gain is the sentence's",
        others=("suffix",),
    )
    protocol: str = setting(
        "one_edit",
        "Whether one edit from train instances serves all prompts, or every test prompt is answered after an edit from its "
        "own SafeEdit instance, which is then undone. The latter LEARNS FROM THE TEST PROMPT ITSELF, as the published "
        "numbers do: compare it with those alone. It leaves `instances` unused.",
        source=f"edit_per_instance: {CODE} (one edit per test instance, weights restored after it); one_edit: our choice",
        choices=("one_edit", "edit_per_instance"),
    )
    learning_rate: float = setting(
        5e-4,
        "Step size of Adam: about how far an entry may move per step, so it depends on how large the weights are.",
        source=f"{CODE}, for LLaMA2-7B and GPT-2 XL; 1e-5 for Mistral-7B",
        low=0,
        high=1,
        search=Range(1e-5, 0.03, log=True),
    )
    steps: int = setting(10, "Steps per instance.", source=CODE, unit="steps", low=0)
    instances: int = setting(
        0,
        "Instances whose edits, each from the unedited weights, are averaged; 0: 3, or 1 where the variant is faithful. An "
        "instance is a harmful question, attacked where the data has such, with a safe and an unsafe reply, and a benign "
        "one with its answer.",
        source="our choice: the paper edits anew for every test prompt, from one instance",
        unit="instances",
        low=0,
        search=(1, 3, 10),
    )
    edit_fraction: float = setting(
        1.0,
        "Share of each matrix's entries that may change.",
        source="table 1 of NeuronTune, which names neither the entries nor the rule; published DINM: 1",
        low=1e-6,
        high=1,
        search=(1.0, 0.5, 0.2, 0.1, 0.05),
    )
    mask_rule: str = setting(
        "gradient_top",
        "Which entries: largest gradient at the start, random, whole input neurons with the largest gradient, largest "
        "change after a full edit, or largest weight times input norm.",
        source="our choice; the last as in Wanda (arXiv 2306.11695)",
        choices=("gradient_top", "random", "neuron_top", "delta_top", "wanda"),
    )
    edit_scope: str = setting(
        "down_projection",
        "The toxic region: the second feed-forward matrix of the located layer, or every matrix of its block.",
        source=f"{CODE}; the block is the other reading of NeuronTune's table 1",
        choices=("down_projection", "block"),
    )
    delta: str = setting(
        "tuned",
        "What is added to the weights: the tuned change or, as a control of equal norm in the same matrix, that change with "
        "its entries `shuffled` by the seed.",
        source="tuned in the paper; the control is ours",
        choices=("tuned", "shuffled"),
    )
    edit_weight: float = setting(0.1, "Weight of the edit loss beside the constraint's 1.", source=CODE, low=0)
    divergence: str = setting(
        "unedited_to_edited",
        "Direction of the constraint's KL divergence.",
        source=CODE + "; the paper has the other, by secondary accounts",
        choices=("unedited_to_edited", "edited_to_unedited"),
    )
    weight_decay: float = setting(0.0, "Of Adam.", source=CODE, low=0)
    distance: str = setting(
        "raw",
        "Whether the distance of the replies' states is taken as it is, or divided by their mean norm, which grows with "
        "depth.",
        source=f"{CODE}; normalised is ours and did worse on dev prompts of the embedded model",
        choices=("raw", "normalised"),
    )
    limit: float = setting(0.0, "Largest change of an entry; 0 for no limit.", source=CODE, low=0)

    variant: str = setting(
        "fixed",
        "Sets all settings that are left as it has them: as the paper means them, or as its code has them. `protocol` is "
        "left alone, since the published one learns from the prompts that it is tested on.",
        source=CODE,
        choices=("fixed", "faithful"),
    )
    constraint: str = _switch(
        "constraint",
        "Whether the constraint is differentiated, or only adds to the loss at which the steps end.",
        f"the paper lets it preserve knowledge; {CODE} computes it without gradient",
    )
    end_of_turn: str = _switch(
        "end_of_turn", "Whether the edited model is taught to end its turn after the safe reply.", CODE
    )
    labels: str = _switch(
        "labels",
        "Whether the labels are the reply alone, or begin with the token that opens a text, in the place of the last "
        "prompt token.",
        CODE,
    )
    training_suffix: str = _switch(
        "training_suffix",
        "Whether prompts carry the sentence in training where they will carry it in use, or always.",
        CODE,
    )
    location: str = _switch(
        "location", "Whether the layer is located for each instance, or for the first and used for all.", CODE
    )
    location_input: str = _switch(
        "location_input",
        "Whether the two replies are compared after their prompt, where both have a token, or on their own, with end "
        "tokens behind the shorter one and the last block seen through the final norm.",
        CODE,
    )
    early_stop: str = _switch(
        "early_stop",
        "Whether every instance gets all its steps, or ends when its whole loss falls below 0.0001 nats.",
        CODE,
    )


def resolved(settings: DinmSettings) -> DinmSettings:
    """The settings with all that was left to the variant as it has it."""
    of_variant: Mapping[str, Any] = VARIANTS[settings.variant]
    return replace(
        settings, **{name: value for name, value in of_variant.items() if getattr(settings, name) in (AS_VARIANT, 0)}
    )
