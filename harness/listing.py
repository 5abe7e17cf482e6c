"""What `equipoise list` prints. Nothing heavy is imported for it."""

import inspect
from collections.abc import Callable, Mapping

from benchmarks.errors import unknown_name
from benchmarks.registry import BENCHMARKS
from harness.models import MODELS
from methods.base import Method
from methods.registry import METHODS
from methods.settings import describe
from metrics.base import Judge
from metrics.registry import JUDGES, METRICS


def listing(kind: str, *, verbose: bool) -> str:
    """One line an entry; with `verbose` also what can be set, and where each default comes from.

    Raises:
        UserError: If there is no such kind.
    """
    if kind not in _KINDS:
        raise unknown_name("list", kind, _KINDS)
    entries = _KINDS[kind](verbose)
    width = max(len(name) for name in entries)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in entries.items())


def _methods(verbose: bool) -> Mapping[str, str]:
    return {name: _first_line(method) + (_details(method) if verbose else "") for name, method in METHODS.items()}


def _details(method: type[Method]) -> str:
    facts = [f"paper: {method.paper}", f"fidelity: {method.fidelity}", *method.deviations]
    settings = [
        f"{known.name} = {known.default} ({', '.join(filter(None, (known.unit, known.allowed)))}): "
        f"{known.meaning} Source: {known.source}."
        for known in describe(method.settings_type)
    ]
    return "".join(f"\n    {line}" for line in (*facts, *settings))


def _metrics(verbose: bool) -> Mapping[str, str]:
    return {
        name: metric.meaning + (f"\n    unit: {metric.unit}, for {metric.kind.replace('_', ' ')}" if verbose else "")
        for name, metric in METRICS.items()
    }


def _benchmarks(verbose: bool) -> Mapping[str, str]:
    texts = {}
    for name, load in BENCHMARKS.items():
        texts[name] = _first_line(load)
        if verbose:
            benchmark = load()
            texts[name] += (
                f"\n    {len(benchmark.prompts)} prompts, {benchmark.intent}, {benchmark.kind.replace('_', ' ')}; "
                f"{benchmark.source}, revision {benchmark.revision}, licence {benchmark.licence}"
            )
    return texts


def _judges(verbose: bool) -> Mapping[str, str]:
    texts = {}
    for name, make in JUDGES.items():
        judge = make()
        texts[name] = _first_line(type(judge))
        if verbose:
            texts[name] += f"\n    version {judge.version}; {_known_error(judge)}"
    return texts


def _known_error(judge: Judge) -> str:
    error = judge.known_error
    if error is None:
        return "error not measured"
    return f"sensitivity {error.sensitivity:.3f}, specificity {error.specificity:.3f} (n {error.n}, {error.source})"


def _models(verbose: bool) -> Mapping[str, str]:
    built_in = {name: "comes with this project" + (f"\n    {path}" if verbose else "") for name, path in MODELS.items()}
    return {**built_in, "org/name": "any chat model of the Hugging Face hub", "./folder": "a checkpoint on this disk"}


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


_KINDS: Mapping[str, Callable[[bool], Mapping[str, str]]] = {
    "methods": _methods,
    "metrics": _metrics,
    "benchmarks": _benchmarks,
    "judges": _judges,
    "models": _models,
}
