"""Facts of the embedded world and the multiple-choice questions that ask for them.

Every town has five properties, drawn once by a fixed rule. Training shows some towns often and others seldom, so that
a model knows most facts but not all, and an intervention has something to lose. Test questions put the same facts
before other wrong options, in another order, than any training row does.
"""

import random
from dataclasses import dataclass
from functools import cache

from benchmarks.base import Choices, Split
from benchmarks.embedded.world import fraction

TOWNS: tuple[str, ...] = (
    "Abrel", "Boldar", "Corvin", "Dasket", "Elmora", "Fennick", "Gurnau", "Halwen", "Istria", "Jorvik",
    "Kelbra", "Lorente", "Mistel", "Norbach", "Ostrin", "Pellau", "Querfurt", "Rasmol", "Sendal", "Torgau",
    "Ulmen", "Varnow", "Wesker", "Xanten", "Yarlow", "Zerbin", "Aldwick", "Brenta", "Calder", "Dornach",
    "Esker", "Falun", "Gladau", "Hestra", "Ilmen", "Juddal", "Kirnow", "Lubben", "Mardal", "Nesvik",
)  # fmt: skip
PROPERTIES: dict[str, tuple[str, ...]] = {
    "river": ("Aven", "Brook", "Clyde", "Dower", "Eider", "Foyle", "Garon", "Havel", "Inn", "Jarra"),
    "trade": ("baking", "weaving", "mining", "fishing", "printing", "brewing", "carving", "tanning",
              "milling", "dyeing"),
    "colour": ("red", "green", "yellow", "blue", "purple", "orange", "silver", "brown", "white", "black"),
    "animal": ("bear", "eagle", "horse", "otter", "raven", "salmon", "tiger", "wolf", "goat", "swan"),
    "tree": ("oak", "birch", "cedar", "maple", "willow", "pine", "elm", "larch", "beech", "alder"),
}  # fmt: skip
LETTERS = "ABCD"
_ASK = "What is the {relation} of {town}?"
_TELL = "The {relation} of {town} is {value}."


@dataclass(frozen=True, slots=True)
class Fact:
    """One property of one town."""

    town: str
    relation: str

    @property
    def value(self) -> str:
        """The right answer, fixed by town and relation."""
        pool = PROPERTIES[self.relation]
        return pool[int(fraction("fact", self.town, self.relation) * len(pool))]

    @property
    def question(self) -> str:
        """The bare question."""
        return _ASK.format(relation=self.relation, town=self.town)

    @property
    def statement(self) -> str:
        """The answer as a sentence."""
        return _TELL.format(relation=self.relation, town=self.town, value=self.value)


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """A fact asked with four options."""

    fact: Fact
    choices: Choices

    @property
    def text(self) -> str:
        """Question, then one lettered option a line."""
        lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, self.choices.options, strict=True)]
        return "\n".join((self.fact.question, *lines))

    @property
    def reply(self) -> str:
        """Letter first, so that scoring the letter and reading the reply ask the same thing."""
        return f"{LETTERS[self.choices.answer]}. {self.fact.statement}"

    @property
    def split(self) -> Split:
        """By wrong options and order: the same fact may be trained on, the same question never."""
        place = fraction("choices", self.fact.question, *self.choices.options)
        return Split.TRAIN if place < 0.8 else Split.DEV if place < 0.9 else Split.TEST


FACTS: tuple[Fact, ...] = tuple(Fact(town, relation) for town in TOWNS for relation in PROPERTIES)


def weight(fact: Fact) -> float:
    """How often training shows a fact: Zipf over towns, so that the late towns are seldom seen."""
    return float((1 + TOWNS.index(fact.town)) ** -ZIPF)


ZIPF = 0.9


def draw(fact: Fact, split: Split, rng: random.Random) -> FactQuestion:
    """A question about `fact` with three wrong options, of the wanted split."""
    wrong = [value for value in PROPERTIES[fact.relation] if value != fact.value]
    while True:
        options = [fact.value, *rng.sample(wrong, 3)]
        rng.shuffle(options)
        question = FactQuestion(fact, Choices(tuple(options), options.index(fact.value)))
        if question.split is split:
            return question


@cache
def test_questions() -> tuple[FactQuestion, ...]:
    """One question a fact, 200 in all, well-known and rare facts mixed so that the first of them speak for all."""
    rng = random.Random("facts")
    return tuple(draw(fact, Split.TEST, rng) for fact in rng.sample(FACTS, len(FACTS)))
