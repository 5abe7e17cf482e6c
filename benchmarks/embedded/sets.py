"""The embedded world as benchmarks, and as data to align on.

Topics of the test benchmarks occur in no training row and in no alignment data; held-out templates likewise.
"""

import random
from collections.abc import Iterable

from benchmarks.base import AlignmentData, Benchmark, Choices, Intent, Kind, Message, Prompt, References, Split
from benchmarks.embedded import attacks, facts, replies, world
from benchmarks.embedded.attacks import Template
from benchmarks.embedded.vocabulary import PHRASINGS
from benchmarks.embedded.world import Borderline, Question, Request

SOURCE = "the embedded world of this project"
REVISION = "1"
LICENCE = "Apache-2.0"


def attacked() -> Benchmark:
    """Harmful requests under the attack templates that alignment knew: the counterpart of SafeEdit."""
    return _benchmark(
        "embedded_attacked", "attacked harmful requests", Intent.HARMFUL, _attacked_with(attacks.KNOWN, 240)
    )


def held_out() -> Benchmark:
    """Harmful requests under templates that nobody trained on."""
    prompts = _attacked_with(attacks.HELD_OUT, 120)
    return _benchmark("embedded_held_out", "harmful requests under held-out attacks", Intent.HARMFUL, prompts)


def harmful() -> Benchmark:
    """Harmful requests asked plainly: the counterpart of AdvBench."""
    questions = _sample(world.requests(Split.TEST, Intent.HARMFUL), 100, "harmful")
    return _benchmark("embedded_harmful", "direct harmful requests", Intent.HARMFUL, _prompts(questions, Split.TEST))


def benign() -> Benchmark:
    """Benign requests asked plainly: the counterpart of Alpaca."""
    questions = _sample(world.requests(Split.TEST, Intent.BENIGN), 100, "benign")
    return _benchmark("embedded_benign", "benign requests", Intent.BENIGN, _prompts(questions, Split.TEST))


def benign_attacked() -> Benchmark:
    """Benign requests inside attack templates: does a method refuse the disguise or the harm?"""
    rng = random.Random("benign attacked")
    questions = _sample(world.requests(Split.TEST, Intent.BENIGN), 100, "benign attacked")
    prompts = [_prompt(question, Split.TEST, rng.choice(attacks.KNOWN)) for question in questions]
    return _benchmark("embedded_benign_attacked", "benign requests under attacks", Intent.BENIGN, prompts)


def borderline() -> Benchmark:
    """Harmless requests that sound alarming: the counterpart of XSTest."""
    rng = random.Random("borderline")
    questions = [
        Borderline(known.alarming, known.setting, rng.choice(PHRASINGS)) for known in world.borderline(Split.TEST)
    ]
    prompts = _prompts(questions, Split.TEST)
    return _benchmark("embedded_borderline", "alarming but harmless requests", Intent.BENIGN, prompts)


def knowledge() -> Benchmark:
    """Facts as multiple-choice questions: the counterpart of MMLU."""
    prompts = tuple(
        Prompt(
            id=f"fact-{number:03d}",
            messages=(Message("user", question.text),),
            intent=Intent.BENIGN,
            question_id=question.text,
            plain=question.text,
            source=SOURCE,
            split=Split.TEST,
            category=question.fact.relation,
            choices=Choices(question.choices.options, question.choices.answer),
            references=References(useful=question.reply),
        )
        for number, question in enumerate(facts.test_questions())
    )
    return Benchmark(
        "embedded_facts", "facts, four options", Kind.MULTIPLE_CHOICE, Intent.BENIGN, prompts, SOURCE, REVISION, LICENCE
    )


def alignment() -> AlignmentData:
    """What methods may learn from: 600 train and 240 dev prompts, attacked and plain, harmful and benign."""
    return AlignmentData("embedded", train=_mixture(Split.TRAIN, 600), dev=_mixture(Split.DEV, 240))


def _mixture(split: Split, count: int) -> tuple[Prompt, ...]:
    """A quarter each of attacked harmful, plain harmful, attacked benign and plain benign requests."""
    rng = random.Random(f"mixture {split}")
    share = count // 4
    bad = _sample(world.requests(split, Intent.HARMFUL), 2 * share, f"bad {split}")
    good = _sample(world.requests(split, Intent.BENIGN), 2 * share, f"good {split}")
    return tuple(
        [
            *(_prompt(question, split, rng.choice(attacks.KNOWN)) for question in bad[:share]),
            *_prompts(bad[share:], split),
            *(_prompt(question, split, rng.choice(attacks.KNOWN)) for question in good[:share]),
            *_prompts(good[share:], split),
        ]
    )


def _attacked_with(templates: tuple[Template, ...], count: int) -> Iterable[Prompt]:
    """Equally many prompts per template."""
    questions = _sample(world.requests(Split.TEST, Intent.HARMFUL), count, f"attacked {templates[0].name}")
    return [
        _prompt(question, Split.TEST, templates[number % len(templates)]) for number, question in enumerate(questions)
    ]


def _sample(questions: tuple[Request, ...], count: int, seed: str) -> list[Request]:
    rng = random.Random(seed)
    return [
        Request(known.action, known.thing, known.owner, known.circumstance, rng.choice(PHRASINGS))
        for known in rng.sample(questions, count)
    ]


def _prompts(questions: Iterable[Question], split: Split) -> list[Prompt]:
    return [_prompt(question, split) for question in questions]


def _prompt(question: Question, split: Split, template: Template | None = None) -> Prompt:
    text = template.text.format(question.text) if template else question.text
    slug = f"{template.name if template else 'plain'}/{question.text}"
    harmful = question.intent is Intent.HARMFUL
    return Prompt(
        id=slug,
        messages=(Message("user", text),),
        intent=question.intent,
        question_id=question.topic,
        plain=question.text,
        source=SOURCE,
        split=split,
        category=question.category,
        attack=template.attack if template else None,
        references=References(
            safe=replies.refusing(question) if harmful else None,
            unsafe=replies.complying(question, template) if harmful else None,
            useful=None if harmful else replies.complying(question, template),
        ),
    )


def _benchmark(name: str, title: str, intent: Intent, prompts: Iterable[Prompt]) -> Benchmark:
    return Benchmark(name, title, Kind.GENERATION, intent, tuple(prompts), SOURCE, REVISION, LICENCE)
