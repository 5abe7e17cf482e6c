"""Learning: the same from the same seed, from train and dev prompts alone, and over when the fit is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.base import Prompt, Reply, Split
from benchmarks.withholding import WithheldError, withheld
from harness.conformance.answers import answers
from harness.conformance.content import content, first_change, mentioned
from harness.conformance.material import questions, test_questions
from harness.conformance.random_state import elsewhere
from harness.conformance.subject import NothingToCheck, Subject, Violation
from methods.base import ChatModel, Fitted, GenerationSettings, PromptTokens
from methods.wrapped import Wrapped

if TYPE_CHECKING:
    from torch import Tensor


def deterministic(subject: Subject) -> None:
    """Two fits with one seed leave the same artefact, wherever the global random generators stand."""
    with elsewhere(seed=2002):
        again = subject.fit(subject.model())
    _compare(subject, "fitted again with the same seed", again)


def unseeded(subject: Subject) -> None:
    """A method that says it does not depend on the seed leaves the same artefact for another one."""
    if subject.kind.is_seeded:
        raise NothingToCheck("the method says that its fit depends on the seed")
    _compare(subject, "fitted with another seed though 'is_seeded' is False", subject.fit(subject.model(), seed=1))


def random_state(subject: Subject) -> None:
    """Fitting leaves the global random generators alone, so that no arm depends on those before it."""
    moved = subject.shared.random_state
    if moved:
        raise Violation(f"the fit moved the global random state of {' and '.join(moved)}")


def learning_material(subject: Subject) -> None:
    """Fitting looks at train and dev prompts alone: no benchmark is loaded, no test prompt read or kept."""
    questions()  # the kit's own prompts are loaded before benchmarks are withheld
    texts = test_questions()
    model = _Witness(subject.model())
    try:
        with withheld(f"'{subject.kind.name}'", "fitted"):
            fitted = subject.fit(model)
    except WithheldError as error:
        raise Violation(str(error)) from error
    strays = [prompt.id for prompt in model.seen if prompt.split is Split.TEST]
    if strays:
        raise Violation(f"the fit put the test prompt '{strays[0]}' to the model")
    kept = mentioned(subject.save(fitted), texts)
    if kept:
        raise Violation(f"the artefact holds the test question '{kept}'")


def unchanged_by_answering(subject: Subject) -> None:
    """Answering test prompts leaves the artefact as it was."""
    arm = subject.arm()
    before = content(subject.save(arm))
    with arm.applied(subject.model()) as protected:
        answers(protected, questions())
    change = first_change(before, content(subject.save(arm)))
    if change:
        raise Violation(f"after answering test prompts, {change}")


class _Witness(Wrapped):
    """Notes every prompt that is put to the model."""

    def __init__(self, inner: ChatModel) -> None:
        super().__init__(inner)
        self.seen: list[Prompt] = []

    def encode(self, prompt: Prompt) -> PromptTokens:
        self.seen.append(prompt)
        return self.inner.encode(prompt)

    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        self.seen.extend(prompts)
        return self.inner.generate(prompts, settings)

    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> "list[list[Tensor]]":
        self.seen.extend(prompts)
        return self.inner.log_probabilities(prompts, continuations)


def _compare(subject: Subject, when: str, again: Fitted) -> None:
    first, second = (content(folder, measured=False) for folder in (subject.shared.folder, subject.save(again)))
    change = first_change(first, second)
    if change:
        raise Violation(f"{when}, {change}")
