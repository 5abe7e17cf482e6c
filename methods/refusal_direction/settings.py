"""What can be set of the refusal direction."""

from dataclasses import dataclass

from methods.settings import Range, setting

PAPER = "Arditi et al. 2024"
CODE = "andyrdt/refusal_direction at 0b9c8bc, pipeline"


@dataclass(frozen=True, slots=True)
class RefusalDirectionSettings:
    """What is done with the direction, and how it is found."""

    operation: str = setting(
        "add",
        "`add` steers every prompt towards refusal; `ablate` takes the direction out of the model, which is an attack.",
        source=f"{PAPER}: activation addition and directional ablation",
        choices=("add", "ablate"),
    )
    coefficient: float = setting(
        1.0,
        "How many times the direction, as long as the means are apart, is added; below 0 against refusal. Not for `ablate`.",
        source=f"{PAPER}: 1",
        search=Range(0.1, 2.0),
    )
    direction: str = setting(
        "difference",
        "`difference` of the means, or a seeded control of the same length at the same layer: a `random` one, or the "
        "difference with `shuffled_labels`.",
        source=f"{PAPER}: difference; the controls are ours",
        choices=("difference", "random", "shuffled_labels"),
    )
    layer: int = setting(
        -1,
        "Block at whose input the direction is read and added, from 1; -1 lets the dev prompts choose.",
        source=f"{PAPER}: chosen on validation prompts",
        low=-1,
    )
    positions: str = setting(
        "last",
        "Prompt tokens at which it may be read: the `last`, or any of the `template` after the user's words.",
        source=f"{PAPER}: template; the last alone is cheaper",
        choices=("last", "template"),
    )
    train_samples: int = setting(
        128,
        "Questions of each intent whose states are averaged; all if there are fewer.",
        source=f"{CODE}/config.py",
        unit="questions",
        low=1,
    )
    dev_samples: int = setting(
        32,
        "Dev questions of each intent that choose among the layers; all if there are fewer.",
        source=f"{CODE}/config.py",
        unit="questions",
        low=1,
    )
    filtered: bool = setting(
        True,
        "Keep only harmful questions that the model refuses and harmless ones that it does not, by refusal score; all "
        "where fewer than 16 would be left.",
        source=f"{CODE}/run_pipeline.py",
    )
    max_kl: float = setting(
        0.1,
        "Largest mean divergence at the last token of harmless prompts that ablating a chosen direction may cause; where "
        "none induces refusal, that serving it may cause, apart from refusing more often.",
        source=f"{CODE}/submodules/select_direction.py",
        unit="nats",
        low=0,
    )
    layer_step: int = setting(
        3,
        "Every how many layers are measured first, on a quarter of the dev questions, before those less than a step from "
        "the best are measured on all; 1 measures all on all, as do models with no more than two steps of layers.",
        source=f"our choice, which takes the same layer at a third of the passes; {PAPER}: all on all",
        unit="blocks",
        low=1,
    )
    deepest: float = setting(
        0.8,
        "Only blocks before this share of the depth are candidates.",
        source=f"{CODE}/submodules/select_direction.py, which rounds the block's number down",
        low=0,
        high=1,
    )
