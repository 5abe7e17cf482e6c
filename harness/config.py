"""What a run is to do: flags over a YAML file over defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.registry import BENCHMARKS
from harness import values
from harness.arms import ArmSpec, make_arm, of_model, parse_arms, with_baseline
from harness.base import ModelSpec
from harness.cluster.base import ClusterSpec, build_cluster
from harness.control_tokens import CONTROL_TOKENS, KEPT
from harness.embedded.own_settings import own_settings
from harness.models import is_embedded
from harness.prompting import DATE
from harness.remote.address import address
from methods.base import GenerationSettings
from methods.registry import METHODS
from metrics.su_f1 import Bounds

MODEL = "embedded"
ENGINE = "transformers"
QUANTIZATIONS = ("8bit", "4bit")
_LIKELY = "advbench_456,xstest_unsafe,xstest_safe,alpaca_100,mmlu"
"""Benchmarks that are named to those who name none."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One comparison, fully spelt out."""

    model: ModelSpec
    arms: tuple[ArmSpec, ...]
    """`default` first."""
    benchmarks: tuple[str, ...]
    judge: str
    output: Path
    """On this machine."""
    engine: str = ENGINE
    data: str = "embedded"
    limit: int | float | None = None
    batch_size: int | None = None
    """None: as many as memory allows."""
    seeds: tuple[int, ...] = (0,)
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    bounds: Bounds = field(default_factory=Bounds)
    cluster: ClusterSpec | None = None
    """None: all in this process."""
    url: str | None = None
    """Where the run belongs if `output` only mirrors it."""


def build_config(given: Mapping[str, Any]) -> RunConfig:
    """The run that `given` asks for: flags by name with `_`, or what `read_config_file` gives; None counts as absent.

    Raises:
        UserError: If a value cannot be used.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    model = _model(chosen)
    place = address(str(chosen.get("output", Path("runs") / _folder_for(model.name))))
    tokens = chosen.get("max_new_tokens", GenerationSettings().max_new_tokens)
    return RunConfig(
        model=model,
        arms=_arms_for(model.name, chosen.get("methods")),
        benchmarks=_benchmarks(model.name, chosen),
        judge=values.text("judge", chosen.get("judge", _judge_for(model.name))),
        output=place.folder,
        engine=values.text("engine", chosen.get("engine", ENGINE)),
        data=values.text("data", chosen.get("data", data_for(model.name))),
        limit=values.limit(chosen["limit"]) if "limit" in chosen else None,
        batch_size=values.batch_size(chosen.get("batch_size", "auto")),
        seeds=values.seeds(chosen.get("seeds", 0)),
        generation=GenerationSettings(values.whole_number("max new tokens", tokens, low=1)),
        bounds=_bounds(chosen.get("su_f1", {})),
        cluster=build_cluster(chosen),
        url=place.url,
    )


def _model(chosen: Mapping[str, Any]) -> ModelSpec:
    def text(name: str) -> str | None:
        return values.text(name.replace("_", " "), chosen[name]) if name in chosen else None

    return ModelSpec(
        name=text("model") or MODEL,
        revision=text("revision"),
        dtype=text("dtype") or "auto",
        device=text("device") or "auto",
        device_map=text("device_map"),
        quantize=values.choice("quantize", chosen["quantize"], QUANTIZATIONS) if "quantize" in chosen else None,
        attention=text("attention"),
        trust_remote_code=values.truth("trust remote code", chosen.get("trust_remote_code", False)),
        # An empty one is one: it silences what a template would say by itself.
        system_prompt=str(chosen["system_prompt"]) if "system_prompt" in chosen else None,
        today=values.day("date", chosen.get("date", DATE)),
        control_tokens=values.choice("control tokens", chosen.get("control_tokens", KEPT), CONTROL_TOKENS),
    )


def data_for(model: str) -> str:
    """Alignment data of a run that names none: a world of its own for the embedded model, real text for any other."""
    return "embedded" if is_embedded(model) else "published"


def _benchmarks(model: str, chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that are named, or all of the embedded world for its model; any other is asked nothing made for another.

    Raises:
        UserError: If none is named for another model, or what is named are no names.
    """
    if "benchmarks" in chosen:
        return values.names("benchmarks", chosen["benchmarks"])
    if is_embedded(model):
        return tuple(BENCHMARKS)
    raise UserError(
        f"No benchmark is named for model '{model}'. Give --benchmarks, for instance {_LIKELY}; "
        "'equipoise list benchmarks' has all."
    )


def _arms_for(model: str, methods: str | Sequence[ArmSpec] | None) -> tuple[ArmSpec, ...]:
    """The arms, with the settings that the model has of its own."""
    own = own_settings() if is_embedded(model) else {}
    return tuple(of_model(arm, own) for arm in with_baseline(_arms(methods)))


def _arms(methods: str | Sequence[ArmSpec] | None) -> tuple[ArmSpec, ...]:
    """Arms of the flag's text or the file's list; every method with its defaults where none is named."""
    if methods is None:
        return tuple(make_arm(name, {}) for name in METHODS)
    return parse_arms(methods) if isinstance(methods, str) else tuple(methods)


def _bounds(given: Mapping[str, object]) -> Bounds:
    standard = Bounds()
    low = values.real_number("su_f1 low", given.get("low", standard.low))
    high = values.real_number("su_f1 high", given.get("high", standard.high))
    if low >= high:
        raise UserError(f"su_f1 low is {low:g} and high is {high:g}; low must lie below high.")
    return Bounds(low, high)


def _judge_for(model: str) -> str:
    """The embedded world has a ground truth; any other model is judged by key phrases."""
    return "grammar" if is_embedded(model) else "keyword"


def _folder_for(model: str) -> str:
    return model.strip("./").replace("/", "__") or "model"
