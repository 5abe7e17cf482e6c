"""The README of an export, a model card as the hub reads it: what this is, what was measured, and how to use it."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from tabulate import tabulate

from harness.control_tokens import ESCAPED
from harness.export.agreement import TOKENS
from harness.export.checkpoint import Written
from harness.export.chosen_arm import ChosenArm
from harness.models import MODELS
from metrics.base import Estimate
from reports.base import Arm, Column, Comparison
from reports.cards import tuned
from reports.facts import costs, text
from reports.foreign import markdown_text
from reports.leaderboard import cell, title

VANISHES = {"bfloat16": "0.4 %", "float16": "0.05 %"}
"""Of a weight: an edit that is smaller than half the step between two numbers of the type is rounded away."""


class Subject(NamedTuple):
    """What a card is about."""

    name: str
    """Of the folder."""
    chosen: ChosenArm
    comparison: Comparison
    """Of the whole run, as its report sees it."""
    written: Written | None
    """None where the artefact is exported and no checkpoint."""

    @property
    def arm(self) -> Arm:
        """The row of the comparison."""
        return next(arm for arm in self.comparison.arms if arm.name == self.chosen.label)

    @property
    def is_on_the_hub(self) -> bool:
        """Whether the base model was named by a hub id."""
        name = str(self.chosen.protocol["model"]["name"])
        return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).is_dir()

    @property
    def base(self) -> str:
        """Of a folder its own name alone: where it lies on this machine is nobody's business."""
        name = str(self.chosen.protocol["model"]["name"])
        return name if self.is_on_the_hub else Path(os.path.abspath(name)).name


def model_card(subject: Subject) -> str:
    """The whole page in Markdown."""
    sections = (
        _head(subject),
        _opening(subject),
        _fidelity(subject.arm),
        _use(subject),
        _numbers(subject),
        _agreement(subject.written),
        _settings(subject),
        _hashes(subject),
        _limits(subject),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(subject: Subject) -> str:
    known: dict[str, object] = {"base_model": subject.base} if subject.is_on_the_hub else {}
    known["license"] = MODELS[subject.base].licence if subject.base in MODELS else "unknown"
    if subject.written is not None:
        known |= {"library_name": "transformers", "pipeline_tag": "text-generation"}
    known["tags"] = ["equipoise", "safety-alignment", *subject.chosen.method.split("+")]
    return f"---\n{yaml.safe_dump(known, sort_keys=False, allow_unicode=True)}---"


def _opening(subject: Subject) -> str:
    base, method, arm = markdown_text(subject.base), markdown_text(subject.chosen.method), subject.arm
    what = f"Arm **{markdown_text(arm.name)}** of a comparison by Equipoise, fitted with seed {subject.chosen.seed}."
    if subject.written is not None:
        form = f"The checkpoint of {base} with the edit of {method} in its weights ({subject.written.dtype})."
    else:
        form = (
            f"**This is no checkpoint.** It holds what {method} learnt on {base}, to be applied while that model runs."
        )
    return f"# {base} with {method}\n\n{form} {what}\n\nPaper: {markdown_text(arm.paper)}."


def _fidelity(arm: Arm) -> str:
    lines = [f"- {markdown_text(sentence)}" for sentence in arm.deviations]
    return "\n".join([f"Fidelity to the paper: {markdown_text(arm.fidelity)}.", *([""] if lines else []), *lines])


def _use(subject: Subject) -> str:
    return "## How to use it\n\n" + (_use_of_artefact(subject) if subject.written is None else _use_of_weights(subject))


def _use_of_weights(subject: Subject) -> str:
    folder = json.dumps(subject.name)
    return (
        "From the folder that holds this one:\n\n"
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f"tokenizer = AutoTokenizer.from_pretrained({folder})\n"
        f'model = AutoModelForCausalLM.from_pretrained({folder}, dtype="auto")\n'
        "```\n\n"
        "```sh\n"
        f"vllm serve {folder}\n"
        f"lm_eval run --model hf --model_args pretrained={folder} --apply_chat_template --tasks hellaswag\n"
        f"equipoise run --model {folder} --methods default\n"
        "```\n\n"
        f"It was measured with its chat template, {_system(subject)} and greedy decoding."
    )


def _system(subject: Subject) -> str:
    system = subject.chosen.protocol["model"].get("system_prompt")
    return f"the system prompt '{markdown_text(system)}'" if system else "no system prompt of ours"


def _use_of_artefact(subject: Subject) -> str:
    known = subject.chosen.protocol["model"]
    dtype = str(known["dtype"]).removeprefix("torch.")
    tokens = subject.chosen.protocol["generation"]["max_new_tokens"]
    system = f", system_prompt={known['system_prompt']!r}" if known.get("system_prompt") else ""
    system += f", control_tokens={ESCAPED!r}" if known.get("control_tokens") == ESCAPED else ""
    spec = f"{json.dumps(subject.base)}, revision={known['revision']!r}, dtype={dtype!r}{system}"
    return (
        "With Equipoise installed, from the folder that holds this one; `prompts` are `benchmarks.base.Prompt`s:\n\n"
        "```python\n"
        "from pathlib import Path\n\n"
        "from harness.base import ModelSpec\n"
        "from harness.registry import engine\n"
        "from methods.base import GenerationSettings\n"
        "from methods.registry import method_type\n\n"
        f'model = engine("transformers").load(ModelSpec({spec}))\n'
        f"fitted = method_type({json.dumps(subject.chosen.method)})"
        f'.load(Path({json.dumps(subject.name)}) / "artefact")\n'
        "with fitted.applied(model) as protected:\n"
        f"    replies = protected.generate(prompts, GenerationSettings(max_new_tokens={tokens}))\n"
        "```\n\n"
        "The model must be the one that it was fitted on: its hash is below."
    )


def _numbers(subject: Subject) -> str:
    comparison, arm = subject.comparison, subject.arm
    sides = list(dict.fromkeys([comparison.arms[0].name, arm.name]))
    shown = [one for one in comparison.arms if one.name in sides]
    rows = [
        [
            markdown_text(column.benchmark),
            markdown_text(title(column)),
            *(cell(comparison, one, column).text for one in shown),
            estimate.n,
        ]
        for column, estimate in _measured(comparison, arm)
    ]
    if not rows:
        return "## Measured\n\nThe run has finished no benchmark with this arm."
    headers = ["benchmark", "number", *(markdown_text(one.name) for one in shown), "n"]
    table = tabulate(rows, headers, tablefmt="github", disable_numparse=True)
    engine = markdown_text(text(subject.chosen.protocol["model"]["engine"]))
    caption = (
        f"With 95 % intervals, over seeds {', '.join(map(str, comparison.seeds))} of the run, judged by "
        f"{markdown_text(comparison.judge)}; n counts prompts. Measured in the run, with engine {engine}."
    )
    return f"## Measured\n\n{table}\n\n{caption}"


def _measured(comparison: Comparison, arm: Arm) -> Sequence[tuple[Column, Estimate]]:
    found = ((column, comparison.estimates.get((arm.name, column.key))) for column in comparison.columns)
    return [(column, estimate) for column, estimate in found if estimate is not None]


def _agreement(written: Written | None) -> str:
    if written is None:
        return ""
    found = written.agreement
    return (
        "## Checkpoint against arm\n\n"
        f"Read back and asked {found.prompts} dev prompts, {found.identical} greedy replies of "
        f"{TOKENS} tokens are those of the arm to the token. No logit of the first reply token "
        f"differs by more than {found.difference:.2g}; the arm itself moves one by up to {found.effect:.2g}."
    )


def _settings(subject: Subject) -> str:
    settings = subject.chosen.settings
    lines = [f"- {markdown_text(name)}: {markdown_text(text(value))}" for name, value in settings.items()]
    spent = ", ".join(f"{fact.name} {fact.text}" for fact in costs(subject.arm, subject.comparison.arms[0]))
    lines += [f"- {markdown_text(tuned(subject.arm.tuning))}"] if settings else []
    return "\n".join(["## Settings\n", *lines, *([f"- cost: {spent}"] if spent else [])]) if lines else ""


def _hashes(subject: Subject) -> str:
    known = subject.chosen.protocol
    pairs = [
        ("base model", subject.base),
        ("revision", known["model"]["revision"] or "none was given"),
        ("weights of the base", known["model"]["weights"]),
        ("template and tokenizer", known["model"]["template"]),
        ("learnt from", known["data"]["name"]),
        ("content of that", known["data"]["hash"]),
        ("artefact", subject.chosen.hash),
        *([("weights of this checkpoint", subject.written.weights)] if subject.written else []),
    ]
    rows = [[name, markdown_text(value)] for name, value in pairs]
    return "## Hashes\n\n" + tabulate(rows, ["of", "SHA-256, or name"], tablefmt="github", disable_numparse=True)


def _limits(subject: Subject) -> str:
    known = subject.chosen.protocol
    dtype = subject.written.dtype if subject.written else ""
    data = markdown_text(known["data"]["name"])
    lines = [
        "- The numbers hold for the benchmarks above, this chat template, greedy decoding and replies of at most "
        f"{known['generation']['max_new_tokens']} tokens. Other attacks and other decoding may do better or worse.",
        "- A refusal is what the judge takes for one.",
        "- Whoever has weights can train such an edit away again: it is no safeguard against them.",
        f"- The licences of {markdown_text(subject.base)} and of the data '{data}' that it was fitted on go with it.",
        *(f"- Of these data: {markdown_text(note)}." for note in known["data"].get("notes", ())),
    ]
    if dtype in VANISHES:
        lines.append(
            f"- Weights were rounded to {dtype}: where the edit is below {VANISHES[dtype]} of a weight it may have "
            "vanished."
        )
    return "\n".join(["## Limits\n", *lines])
