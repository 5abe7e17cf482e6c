"""Every benchmark and every alignment set, by name: built-in ones in tables; benchmarks may come from outside.

A name may have options in brackets: `advbench[attack=templates.csv]`, `file:mine.csv[prompt=Goal,intent=harmful]`,
`safeedit[plain=true]` for attacked questions without their attacks, `embedded[attacks=pretending]` for some attacks.
"""

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import files, lm_eval_tasks, restriction
from benchmarks.alignment import compose
from benchmarks.attacks import DISGUISES, Wrapping, unwrapped, wrapped
from benchmarks.base import AlignmentData, AlignmentLoader, Benchmark, BenchmarkLoader, Split
from benchmarks.brackets import parse_settings, split_outside_brackets
from benchmarks.embedded import sets as embedded
from benchmarks.errors import UserError, unknown_name
from benchmarks.plugins import Available, Catalogue, factory_faults, make
from benchmarks.published.safeedit import INPUTS
from benchmarks.published.sets import KEPT_APART, PUBLISHED
from benchmarks.recipes import Recipe, kept_apart
from benchmarks.withholding import refuse_if_withheld

BENCHMARKS: dict[str, BenchmarkLoader] = {
    "embedded_attacked": embedded.attacked,
    "embedded_held_out": embedded.held_out,
    "embedded_harmful": embedded.harmful,
    "embedded_benign": embedded.benign,
    "embedded_benign_attacked": embedded.benign_attacked,
    "embedded_borderline": embedded.borderline,
    "embedded_facts": embedded.knowledge,
}
"""Those that come with the project. Published ones are in `benchmarks/published/sets.py`."""

ALIGNMENT: Mapping[str, AlignmentLoader] = {
    "embedded": embedded.alignment,
}

COMPOSED: Mapping[str, Recipe] = {
    "published": Recipe(
        (
            ("advbench_anchors",),
            ("harmful_instructions", "harmbench_anchors"),
            ("truthfulqa_anchors",),
            ("alpaca_anchors", "harmless_instructions"),
        ),
        attack=DISGUISES,
    ),
}
"""Short names of alignment data that are put together from published sets: none of them asks what the usual tests do,
and the benign ones are both questions and instructions, so that the form of a prompt tells nothing of its intent."""

PAIRINGS: tuple[tuple[str, str], ...] = (
    ("embedded_attacked", "embedded_benign"),
    ("safeedit_975", "alpaca_100"),
    ("safeedit", "alpaca_100"),
    ("xstest_unsafe", "xstest_safe"),
    ("jailbreakbench", "jailbreakbench_benign"),
    ("orbench_toxic", "orbench_hard"),
)
"""Harmful and benign benchmarks that make one SU-F1 together, as SafeEdit and Alpaca do in NeuronTune's table 2."""

SAFEEDIT_PROTOCOLS: tuple[tuple[str, ...], ...] = tuple(
    (attacked, *(f"{attacked}_{name}" for name in INPUTS)) for attacked in ("safeedit", "safeedit_975")
)
"""Benchmarks that make SafeEdit's five scores together: defence success on the first, generalisation on the others."""

WITH_INSTANCES: tuple[str, ...] = tuple(name for names in SAFEEDIT_PROTOCOLS for name in names)
"""Benchmarks whose prompts carry what a model may be edited with before it answers."""

_ANY = ("attack", "templates", "seed", "plain", "name", *restriction.OPTIONS)
"""Options of every benchmark."""
_OF_PUBLISHED = ("rows", "revision", "split")
_FILE_NAME = r"\w[\w.-]*"


@dataclass(frozen=True, slots=True)
class PublishedLoader:
    """Loads a published set as it is."""

    name: str

    def __call__(self) -> Benchmark:
        """The set without options."""
        return _published(self.name, {})


CATALOGUE: Catalogue[BenchmarkLoader] = Catalogue(
    "benchmark", ChainMap({name: PublishedLoader(name) for name in PUBLISHED}, BENCHMARKS), factory_faults
)


def load_benchmark(name: str) -> Benchmark:
    """The test prompts of a benchmark: of that name, an entry point, `path/to/file.py:function` or `file:PATH`.

    Raises:
        PluginError: If it comes from outside and cannot be used.
        UserError: If there is none, its rows cannot be had, or an option is wrong.
        WithheldError: If a method asks while it might learn from it.
    """
    refuse_if_withheld(name)
    benchmark = _loaded(*_named(name))
    prompts = tuple(prompt for prompt in benchmark.prompts if prompt.split is Split.TEST)
    if benchmark.prompts and not prompts:
        raise UserError(f"'{name}' holds prompts to learn from and none to test with. Name it under --data instead.")
    return replace(benchmark, prompts=prompts)


def available() -> Available[BenchmarkLoader]:
    """All benchmarks that have a name, and what is wrong with those that cannot be used."""
    return CATALOGUE.available()


def load_alignment(name: str) -> AlignmentData:
    """The alignment data of that name, or of sets and files joined by `+`: `safeedit_train+truthfulqa_anchors`.

    Raises:
        UserError: If there is none, or it cannot be put together.
        WithheldError: If a method asks for any but the built-in ones.
    """
    parts = [_named(part) for part in split_outside_brackets(name, "+")]
    short, settings = parts[0]
    if len(parts) == 1 and short in ALIGNMENT:
        _check_known(short, settings, restriction.OPTIONS)
        return _restricted(ALIGNMENT[short](), settings, name)
    refuse_if_withheld(name)
    if len(parts) == 1 and short in COMPOSED:
        return _composed(short, settings, name)
    for own, _ in parts:
        if own not in PUBLISHED and not own.startswith(files.PREFIX):
            raise unknown_name("alignment data", own, [*ALIGNMENT, *COMPOSED, *PUBLISHED])
    return compose(name, [_loaded(*part) for part in parts])


def _composed(short: str, settings: Mapping[str, Any], name: str) -> AlignmentData:
    """Every question plainly and attacked: `[attack=FILE]` takes other templates, restrictions act on all prompts."""
    _check_known(short, settings, ("attack", "templates", "seed", *restriction.OPTIONS))
    recipe = COMPOSED[short]
    plain = [_loaded(own, {}) for own in recipe.chosen]
    wrapping = _wrapping({"attack": recipe.attack, **settings})
    parts = [one for part in plain for one in (part, wrapped(part, wrapping))]
    return _restricted(compose(name, parts, recipe.notes(plain, wrapping)), settings, name)


def _restricted(data: AlignmentData, settings: Mapping[str, Any], name: str) -> AlignmentData:
    wanted = restriction.restrictions(settings)
    return restriction.restricted(data, wanted, name) if wanted else data


def _named(text: str) -> tuple[str, dict[str, Any]]:
    """A name and its options."""
    name, _, options = text.partition("[")
    return name, parse_settings(options.removesuffix("]"), text)


def _loaded(name: str, settings: Mapping[str, Any]) -> Benchmark:
    """With prompts of all splits."""
    if name.startswith(files.PREFIX):
        _check_known(name, settings, (*files.SETTINGS, *_ANY))
        benchmark = files.load_file(Path(name.removeprefix(files.PREFIX)), settings)
    elif name.startswith(lm_eval_tasks.PREFIX):
        _check_known(name, settings, _ANY)
        benchmark = lm_eval_tasks.load_task(name)
    elif name in PUBLISHED:
        _check_known(name, settings, (*_OF_PUBLISHED, *_ANY))
        benchmark = _published(name, settings)
    else:
        benchmark = make(CATALOGUE, name, _faults)
        _check_known(name, settings, _ANY)
    if "attack" in settings:
        benchmark = wrapped(benchmark, _wrapping(settings))
    for wanted in restriction.restrictions(settings):
        benchmark = replace(benchmark, prompts=wanted.of_prompts(benchmark.prompts, benchmark.name))
    if settings.get("plain", False) is not False:
        benchmark = unwrapped(benchmark)
    return _renamed(benchmark, settings)


def _published(name: str, settings: Mapping[str, Any]) -> Benchmark:
    published = PUBLISHED[name]
    if settings.get("rows", "any") != "any":
        raise UserError(f"'rows' of '{name}' is {settings['rows']!r}; write [rows=any] to take however many there are.")
    source = published.source
    if "revision" in settings:
        source = replace(source, revision=str(settings["revision"]))
    benchmark = published.load(name, source, any_rows="rows" in settings)
    if name in KEPT_APART:
        benchmark = kept_apart(benchmark, KEPT_APART[name])
    if "split" not in settings:
        return benchmark
    if settings["split"] not in ("train", "dev"):
        raise UserError(f"'split' of '{name}' is {settings['split']!r}; it must be 'train' or 'dev'.")
    prompts = tuple(replace(prompt, split=Split(settings["split"])) for prompt in benchmark.prompts)
    return replace(benchmark, prompts=prompts)


def _wrapping(settings: Mapping[str, Any]) -> Wrapping:
    every, seed = settings.get("templates", "one"), settings.get("seed", 0)
    if every not in ("one", "all"):
        raise UserError(f"'templates' is {every!r}; it must be 'one' for each question, or 'all'.")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise UserError(f"'seed' is {seed!r}; it must be a whole number.")
    return Wrapping(str(settings["attack"]), every == "all", seed)


def _renamed(benchmark: Benchmark, settings: Mapping[str, Any]) -> Benchmark:
    name = str(settings.get("name", benchmark.name))
    if not re.fullmatch(_FILE_NAME, name):
        raise UserError(
            f"'{name}' cannot name a benchmark, since it names files. Use letters, digits, '.', '_' and '-'."
        )
    return replace(benchmark, name=name) if name != benchmark.name else benchmark


def _check_known(name: str, settings: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in settings:
        if key not in known:
            raise unknown_name(f"option of '{name}'", key, known)


def _faults(made: object) -> list[str]:
    """Its name becomes the name of files."""
    if not isinstance(made, Benchmark):
        return [f"it gave {type(made).__name__}, not a Benchmark"]
    return [] if re.fullmatch(_FILE_NAME, made.name) else [f"its name {made.name!r} cannot be that of a file"]
