"""How models, benchmarks and arms are called in a paper's table, and which of its models a model of ours is."""

import json
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.errors import find
from harness.paper.evidence import Entry
from reports.leaderboard import readable

METHODS: Mapping[str, str] = {
    "default": "Default",
    "dinm": "DINM",
    "scans": "SCANS",
    "cavgan": "CAVGAN",
    "neurontune": "NeuronTune",
}
"""The paper's rows, in its order."""
BENCHMARKS: Mapping[str, str] = {
    "safeedit": "SafeEdit",
    "safeedit_975": "SafeEdit",
    "alpaca": "Alpaca",
    "alpaca_100": "Alpaca",
    "advbench": "AdvBench",
    "advbench_456": "AdvBench",
    "truthfulqa": "TruthfulQA",
    "truthfulqa_753": "TruthfulQA",
    "mmlu": "MMLU",
    "mmlu_zero_shot": "MMLU (in words)",
}
MAIN = "LLaMA3.1-8B-Instruct"
"""The model of every table but 2 and 5."""
MODELS: Mapping[str, str] = {
    "llama-2-7b-chat-hf": "LLaMA2-7B-Chat",
    "llama-2-7b-chat": "LLaMA2-7B-Chat",
    "llama2-7b-chat": "LLaMA2-7B-Chat",
    "llama-3.1-8b-instruct": MAIN,
    "meta-llama-3.1-8b-instruct": MAIN,
    "llama3.1-8b-instruct": MAIN,
    "qwen2.5-7b-instruct": "Qwen2.5-7B-Instruct",
    "qwen2.5-14b-instruct": "Qwen2.5-14B-Instruct",
}
"""Last parts of hub ids and folders, in lower case."""
TOLD = 1
"""Settings that fit into the name of a row; where more differ, the arm's label says which it is."""


def shown_model(model: str) -> str:
    """The last part of a hub id or folder."""
    return model.rstrip("/").rpartition("/")[2] or model


def shown_models(models: Iterable[str]) -> dict[str, str]:
    """The last part of each name, or all of it where two would look alike."""
    distinct = list(dict.fromkeys(models))
    short = [shown_model(model) for model in distinct]
    return {model: model if short.count(name) > 1 else name for model, name in zip(distinct, short, strict=True)}


def shown_benchmark(benchmark: str) -> str:
    """The paper's name of a set that it has, else ours in words; a pair's as `SafeEdit + Alpaca`."""
    return " + ".join(BENCHMARKS.get(name, readable(name)) for name in benchmark.split("+"))


def shown_method(method: str) -> str:
    """The paper's name of a method that it has."""
    return METHODS.get(method, method)


def published_model(model: str, chosen: str | None) -> str:
    """What the paper calls this model, or the one whose numbers are asked for; empty where it has none.

    Raises:
        UserError: If the paper has no such model.
    """
    if chosen is not None:
        return find("model of the paper", chosen, {name: name for name in MODELS.values()})
    return MODELS.get(shown_model(model).lower(), "")


def named(base: Sequence[tuple[str, Entry]]) -> list[str]:
    """A name for each row: its base, and where a model has it twice, what tells the settings apart."""
    return [
        _told_apart(name, entry, [e for n, e in base if n == name and e.model == entry.model]) for name, entry in base
    ]


def _told_apart(name: str, entry: Entry, rivals: Sequence[Entry]) -> str:
    if len(rivals) == 1:
        return name
    differing = [key for key in entry.settings if len({json.dumps(one.settings.get(key)) for one in rivals}) > 1]
    if not 0 < len(differing) <= TOLD:
        return name if entry.label == entry.method else f"{name} ({entry.label})"
    return f"{name} ({', '.join(f'{key} {_short(entry.settings[key])}' for key in differing)})"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
