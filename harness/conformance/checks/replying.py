"""Replies: none at strength zero that the model would not give, and each a matter of its prompt alone."""

from harness.conformance.answers import answers
from harness.conformance.material import CONTINUATIONS, GENERATION, other_questions, questions
from harness.conformance.subject import HOME, NothingToCheck, Subject, Violation

EXACT, BATCHED = 1e-6, 1e-4
"""By how much log-probabilities may differ: between an arm that does nothing and the model, between batches."""


def strength_zero(subject: Subject) -> None:
    """With its neutral settings an arm answers as the model does."""
    neutral = subject.fit(subject.model(), subject.kind.neutral)
    model = subject.model()
    with neutral.applied(model) as protected:
        found = answers(protected, questions())
    change = subject.plain.change(found, EXACT)
    if change:
        raise Violation(f"with neutral settings {change}")


def acts(subject: Subject) -> None:
    """With its small settings an arm answers otherwise than the model; else other checks have nothing to see."""
    if subject.method().settings == subject.method(subject.kind.neutral).settings:
        raise NothingToCheck("its small settings are its neutral ones")
    change = subject.plain.change(subject.usual, EXACT)
    if not change and subject.family == HOME:
        raise Violation("with the settings of 'small' every answer is the model's own; choose some that act")


def batch(subject: Subject) -> None:
    """An answer does not depend on the prompts beside it."""
    for prompt in questions()[::2]:
        change = subject.usual.change(subject.answered([prompt]), BATCHED)
        if change:
            raise Violation(f"asked alone, {change}")
    change = subject.usual.change(subject.answered([*other_questions(), *reversed(questions())]), BATCHED)
    if change:
        raise Violation(f"in another batch, {change}")


def order(subject: Subject) -> None:
    """Every prompt gets one reply and one row of log-probabilities, in the order of the prompts."""
    asked = [prompt.id for prompt in questions()]
    with subject.arm().applied(subject.model()) as protected:
        replies = protected.generate(questions(), GENERATION)
        scores = protected.log_probabilities(questions(), [CONTINUATIONS] * len(asked))
    if len(replies) != len(asked):
        raise Violation(f"{len(asked)} prompts got {len(replies)} replies")
    for position, (prompt, reply) in enumerate(zip(asked, replies, strict=True)):
        if reply.prompt_id != prompt:
            raise Violation(f"reply {position} is to '{reply.prompt_id}', prompt {position} is '{prompt}'")
    if [len(row) for row in scores] != [len(CONTINUATIONS)] * len(asked):
        raise Violation(
            f"{len(asked)} prompts with {len(CONTINUATIONS)} continuations each got "
            f"{[len(row) for row in scores]} log-probabilities"
        )


def history(subject: Subject) -> None:
    """An answer does not depend on what was answered before, nor on how often the arm was applied."""
    arm = subject.arm()
    with arm.applied(subject.model()) as protected:
        answers(protected, other_questions())
        change = subject.usual.change(answers(protected, questions()), tolerance=0.0)
    if change:
        raise Violation(f"after other prompts, {change}")
    with arm.applied(subject.model()) as protected:
        change = subject.usual.change(answers(protected, questions()), tolerance=0.0)
    if change:
        raise Violation(f"applied once more, {change}")
