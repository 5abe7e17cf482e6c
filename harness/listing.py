"""What `equipoise list` prints. Nothing heavy is imported for it."""

import inspect
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any, NamedTuple

from benchmarks import registry as benchmarks
from benchmarks.base import Benchmark, BenchmarkLoader
from benchmarks.errors import UserError, unknown_name
from benchmarks.plugins import outside
from benchmarks.published.sets import PUBLISHED
from benchmarks.sources import FOLDER, local_path
from harness import registry as engines
from harness.card_text import card_text, settings_text
from harness.models import MODELS, NamedModel
from harness.studies.base import Study
from harness.studies.registry import STUDIES
from methods import registry as methods
from methods.cards import card
from metrics.base import Judge
from metrics.registry import JUDGE_CATALOGUE, METRIC_CATALOGUE, judge
from reports.foreign import visible

WIDEST = 100
"""Characters a line: longer ones are hard to read, however wide the terminal."""


class Listing(NamedTuple):
    """What is printed of one kind."""

    entries: Mapping[str, str]
    problems: tuple[str, ...] = ()
    """One line for everything from outside that cannot be used."""


def listing(kind: str, *, verbose: bool) -> str:
    """One line an entry; with `verbose` also what can be set, and where each default comes from.

    Raises:
        UserError: If there is no such kind.
    """
    if kind not in _KINDS:
        raise unknown_name("list", kind, _KINDS)
    entries, problems = _KINDS[kind](verbose)
    width = max(len(name) for name in entries)
    lines = [f"{name:<{width}}  {text}" for name, text in entries.items()]
    text = ("\n\n" if verbose else "\n").join([*lines, *(f"warning: {problem}" for problem in problems)])
    return visible(text)  # plugins tell of themselves in their own words


def facts(kind: str, *, verbose: bool) -> dict[str, Any]:
    """The same for other programs; with `verbose` methods have their cards, all else the text that is printed.

    Raises:
        UserError: If there is no such kind.
    """
    if kind not in _KINDS:
        raise unknown_name("list", kind, _KINDS)
    entries, problems = _KINDS[kind](verbose)
    cards = _cards() if kind == "methods" and verbose else {}
    told: list[dict[str, Any]] = []
    for name, text in entries.items():
        summary, _, details = text.partition("\n")
        told.append({"name": name, "summary": summary, **(cards.get(name) or {"details": details})})
    return {"kind": kind, "entries": told, "problems": list(problems)}


def _cards() -> dict[str, dict[str, Any]]:
    return {name: {"card": card(method)} for name, method in methods.available().things.items()}


def _methods(verbose: bool) -> Listing:
    found, problems = methods.available()
    return Listing(
        {
            name: _first_line(method) + (f"\n{card_text(card(method), _width())}" if verbose else "")
            for name, method in found.items()
        },
        problems,
    )


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)


def _metrics(verbose: bool) -> Listing:
    found, problems = METRIC_CATALOGUE.available()
    return Listing(
        {
            name: metric.meaning
            + (f"\n    unit: {metric.unit}, for {metric.kind.replace('_', ' ')}" if verbose else "")
            for name, metric in found.items()
        },
        problems,
    )


def _benchmarks(verbose: bool) -> Listing:
    found, problems = benchmarks.available()
    texts, broken = {}, []
    for name, load in found.items():
        try:
            texts[name] = _published(name, verbose) if name in PUBLISHED else _of_benchmark(name, load, verbose)
        except UserError as error:
            broken.append(str(error))
    return Listing(texts, (*problems, *broken))


def _of_benchmark(name: str, load: BenchmarkLoader, verbose: bool) -> str:
    return _first_line(load) + (_facts(benchmarks.load_benchmark(name)) if verbose else "")


def _published(name: str, verbose: bool) -> str:
    """With `verbose` what is on this disk; nothing is downloaded for a list."""
    published = PUBLISHED[name]
    if not verbose:
        return published.meaning
    source = published.source
    if local_path(source) is None:
        gate = ", accept the terms there and set HF_TOKEN" if source.is_gated else ""
        where = f"from the hub when it is used: {source.page} at {source.version}" if source.hub else source.page
        return f"{published.meaning}\n    not in {FOLDER}; {where}{gate}"
    return published.meaning + _facts(published.load(name, source, any_rows=False))


def _facts(benchmark: Benchmark) -> str:
    return (
        f"\n    {len(benchmark.prompts)} prompts, {benchmark.intent}, {benchmark.kind.replace('_', ' ')}; "
        f"{benchmark.source}, revision {benchmark.revision}, licence {benchmark.licence}"
    )


def _judges(verbose: bool) -> Listing:
    found, problems = JUDGE_CATALOGUE.available()
    texts, broken = {}, []
    for name in found:
        try:
            with outside(f"Judge '{name}'", "listed"):
                texts[name] = _judge(name, found[name], verbose)
        except UserError as error:
            broken.append(str(error))
    return Listing(texts, (*problems, *broken))


def _judge(name: str, kind: object, verbose: bool) -> str:
    """One with settings is not made for a list, since it may need a model first."""
    settings_type = getattr(kind, "settings_type", None)
    if settings_type is not None:
        return _first_line(kind) + (f"\n{settings_text(settings_type, _width())}" if verbose else "")
    made = judge(name)
    return _first_line(type(made)) + (f"\n    version {made.version}; {_known_error(made)}" if verbose else "")


def _known_error(judge: Judge) -> str:
    error = judge.known_error
    if error is None:
        return "error not measured"
    return (
        f"sensitivity {error.sensitivity:.3f} (n {error.n_positive:,}), specificity {error.specificity:.3f} "
        f"(n {error.n_negative:,}); {error.source}"
    )


def _engines(verbose: bool) -> Listing:
    """What an engine offers is asked of it with `verbose` alone: that imports torch."""
    found, problems = engines.CATALOGUE.available()
    texts, broken = {}, []
    for name, factory in found.items():
        way_in = engines.PACKAGES.get(name, "")
        is_there = not way_in or find_spec(name) is not None
        state = "installed" if is_there else f"not installed: {way_in}"
        texts[name] = f"{_first_line(factory)}".removesuffix(".") + f" ({state})."
        if verbose:
            try:
                texts[name] += f"\n    offers {_offered(name)}" if is_there else "\n    offers: unknown until then"
            except UserError as error:
                broken.append(str(error))
    return Listing(texts, (*problems, *broken))


def _offered(engine: str) -> str:
    return ", ".join(
        name.replace("_", " ") for name, is_offered in asdict(engines.engine(engine).offers).items() if is_offered
    )


def _models(verbose: bool) -> Listing:
    named = {name: known.about + (f"\n    {_whereabouts(known)}" if verbose else "") for name, known in MODELS.items()}
    elsewhere = {
        "org/name": "any chat model of the Hugging Face hub",
        "./folder": "a checkpoint on this disk",
        "./file.gguf": "a checkpoint in one GGUF file, its weights made whole",
    }
    return Listing({**named, **elsewhere})


def _whereabouts(known: NamedModel) -> str:
    try:
        return str(known.find())
    except UserError as error:
        return str(error)


def _studies(verbose: bool) -> Listing:
    return Listing({name: study.question + (_options(study) if verbose else "") for name, study in STUDIES.items()})


def _options(study: Study) -> str:
    lines = [f"corresponds to {study.paper} of NeuronTune's paper"]
    lines += [
        f"--set {name}=...  {option.meaning} [{option.embedded}; on other models {option.elsewhere}]"
        for name, option in study.options.items()
    ]
    return "".join(f"\n    {line}" for line in lines)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


_KINDS: Mapping[str, Callable[[bool], Listing]] = {
    "methods": _methods,
    "metrics": _metrics,
    "benchmarks": _benchmarks,
    "judges": _judges,
    "engines": _engines,
    "models": _models,
    "studies": _studies,
}
