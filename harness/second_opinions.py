"""What judges that need no model and no money say of the replies that a run's judge read."""

from collections import Counter

from harness.answers import Answers
from metrics.base import Exchange, Judge
from metrics.judge_agreement import kappa, share_of_agreement
from metrics.registry import judge
from reports.base import SecondOpinion

FREE = ("keyword", "linear")
MOST = 600
"""Replies that they read, spread evenly over the run: half a second, and kappa sure to about 0.08."""


def second_opinions(answers: Answers, first: Judge) -> tuple[SecondOpinion, ...]:
    """One for each free judge but the run's own; none where nothing was judged."""
    judged = [one for exchanges in answers.cells.values() for one in exchanges if one.judgement]
    if not judged:
        return ()
    read = spread(judged)
    return tuple(_opinion(judge(name), read, len(judged)) for name in FREE if name != first.name)


def spread(judged: list[Exchange]) -> list[Exchange]:
    """At most `MOST` of them, at equal distances, so that every arm and benchmark has its share."""
    count = min(MOST, len(judged))
    return [judged[place * len(judged) // count] for place in range(count)]


def _opinion(other: Judge, read: list[Exchange], of: int) -> SecondOpinion:
    given = [one.judgement.verdict for one in read if one.judgement]
    theirs = [one.verdict for one in other.judge([(one.prompt, one.reply) for one in read])]
    counts = dict(Counter(zip(given, theirs, strict=True)))
    return SecondOpinion(
        f"{other.name} {other.version}", share_of_agreement(given, theirs), kappa(given, theirs), counts, of
    )
