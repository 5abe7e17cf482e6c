"""Any benchmark under attack templates, of a file or known by name, and an attacked one without its attacks."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.base import Attack, Benchmark, Kind, Message, Prompt
from benchmarks.disguises import TEXTS
from benchmarks.errors import UserError
from benchmarks.sources import FOLDER, in_folder
from benchmarks.tables import read_rows

DISGUISES = "disguises"
"""Templates of this project, by strategy."""
GPTFUZZ = "gptfuzz"
"""Templates that people wrote against chat models, as GPTFuzz collected them (Yu et al. 2023, arXiv 2309.10253)."""
GPTFUZZ_FILE = "templates/gptfuzz_templates.csv"
NAMES = (DISGUISES, GPTFUZZ)
"""What `attack` may be besides the path of a file."""
PLACEHOLDERS = ("[INSERT PROMPT HERE]", "{question}")
_TEXTS = ("text", "template", "prompt")
_NAMES = ("id", "name")
_CATEGORIES = ("category", "attack category")


@dataclass(frozen=True, slots=True)
class Template:
    """One disguise."""

    text: str
    attack: Attack


@dataclass(frozen=True, slots=True)
class Wrapping:
    """How questions are disguised."""

    attack: str
    """A file of templates, or one of `NAMES`."""
    every: bool = False
    """Each question in all templates, not in one."""
    seed: int = 0
    """Draws the one template, from seed and question alone: the same whatever else is in the benchmark."""


def wrapped(benchmark: Benchmark, wrapping: Wrapping) -> Benchmark:
    """The benchmark with its questions in templates; what was an attack before is replaced, not nested.

    Raises:
        UserError: If it is not answered in words, or the templates cannot be had or used.
    """
    if benchmark.kind is not Kind.GENERATION:
        kind = benchmark.kind.replace("_", " ")
        raise UserError(f"Benchmark '{benchmark.name}' is {kind}, which no attack template is made for.")
    templates = templates_of(wrapping.attack)
    told = wrapping.attack if wrapping.attack in NAMES else Path(wrapping.attack).name
    prompts = tuple(
        _disguised(prompt, template)
        for prompt in benchmark.prompts
        for template in _chosen(templates, prompt, wrapping)
    )
    return replace(
        benchmark,
        name=f"{benchmark.name}_{Path(wrapping.attack).stem}",
        title=f"{benchmark.title}, in the templates of {told}",
        prompts=prompts,
        source=f"{benchmark.source}; {len(templates)} templates of {told}",
    )


def unwrapped(benchmark: Benchmark) -> Benchmark:
    """The same questions asked plainly, one for each attacked prompt, in their order.

    Raises:
        UserError: If none is attacked.
    """
    prompts = tuple(prompt.without_attack() for prompt in benchmark.prompts if prompt.attack)
    if not prompts:
        raise UserError(
            f"Benchmark '{benchmark.name}' has no attacked question. Leave 'plain' out: it is plain as it is."
        )
    return replace(
        benchmark, name=f"{benchmark.name}_plain", title=f"{benchmark.title}, asked plainly", prompts=prompts
    )


def templates_of(attack: str) -> tuple[Template, ...]:
    """The templates of a file, or of that name.

    Raises:
        UserError: If they cannot be had or used.
    """
    if attack == DISGUISES:
        return tuple(
            Template(text, Attack((strategy,), f"{strategy}-{number}"))
            for strategy, texts in TEXTS.items()
            for number, text in enumerate(texts, start=1)
        )
    if attack != GPTFUZZ:
        return read_templates(Path(attack))
    path = in_folder(GPTFUZZ_FILE)
    if path is None:
        raise UserError(
            f"The templates '{GPTFUZZ}' are not in {FOLDER}. Put {GPTFUZZ_FILE} into a folder and set {FOLDER} to it, "
            f"or take '{DISGUISES}', which need no file."
        )
    return tuple(replace(one, attack=replace(one.attack, categories=(GPTFUZZ,))) for one in read_templates(path))


def read_templates(path: Path) -> tuple[Template, ...]:
    """Templates of a table with a text column and, if it likes, an id and a category.

    Those without a category are of one together, named after the file: nobody says that each is a strategy of its own.

    Raises:
        UserError: If there is no text column, a text has no placeholder, or two share an id.
    """
    rows = read_rows(path)
    names = {name.strip().lower().replace("_", " "): name for name in rows[0]}
    text, key, category = (
        next((names[name] for name in known if name in names), None) for known in (_TEXTS, _NAMES, _CATEGORIES)
    )
    if text is None:
        seen = ", ".join(f"'{name}'" for name in rows[0])
        raise UserError(f"'{path}' has no column 'text', 'template' or 'prompt'. Its columns: {seen}.")
    found: dict[str, Template] = {}
    for number, row in enumerate(rows, start=1):
        name = str(row[key]) if key else str(number)
        if name in found:
            raise UserError(f"'{path}' has two templates with the id '{name}'. Make ids unique.")
        if not any(placeholder in str(row[text]) for placeholder in PLACEHOLDERS):
            raise UserError(f"Template '{name}' of '{path}' has neither {' nor '.join(PLACEHOLDERS)}.")
        kind = str(row[category]) if category and row[category] else path.stem
        found[name] = Template(str(row[text]), Attack((kind,), name))
    return tuple(found.values())


def _chosen(templates: Sequence[Template], prompt: Prompt, wrapping: Wrapping) -> Sequence[Template]:
    if wrapping.every:
        return templates
    return [random.Random(f"{wrapping.seed} {prompt.question_id}").choice(templates)]


def _disguised(prompt: Prompt, template: Template) -> Prompt:
    text = template.text
    for placeholder in PLACEHOLDERS:
        text = text.replace(placeholder, prompt.plain)
    return replace(
        prompt,
        id=f"{prompt.id}/{template.attack.template}",
        messages=(*prompt.messages[:-1], Message("user", text)),
        attack=template.attack,
    )
