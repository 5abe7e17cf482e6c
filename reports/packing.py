"""Replies as data for the page: prompts once, a column of replies an arm, each packed until the page wants it."""

import base64
import gzip
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.base import Json
from reports.base import Sample
from reports.facts import facts
from reports.foreign import visible
from reports.reply_grid import MISSING, Grid, Moves, Replies

LEVEL = 6
"""Of gzip: 9 takes three times as long for 1 % less."""


class Distinct:
    """Texts stored once each, in the order in which they come."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Where the text stands in `shown`."""
        return self._places.setdefault(text, len(self._places))

    @property
    def shown(self) -> list[Json]:
        """The texts, with every unseen character written as an escape."""
        return [visible(text) for text in self._places]


def packed(value: Json) -> str:
    """JSON, compressed, in letters that mean nothing to HTML. Equal values give equal text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), LEVEL, mtime=0)).decode()


def index(grid: Grid, kept: Sequence[int], counted: Mapping[tuple[str, str], Moves]) -> Mapping[str, Json]:
    """What all arms share. `moves` is of the whole run; a prompt asked as it stands has no `text` of its own."""
    place = {name: number for number, name in enumerate(grid.arms)}
    return {
        "arms": [visible(name) for name in grid.arms],
        "verdicts": [visible(verdict) for verdict in grid.verdicts],
        "moves": {f"{place[a]} {place[b]}": [list(row) for row in counts] for (a, b), counts in counted.items()},
        "prompts": [_prompt(grid.prompts[number], grid.positions[number]) for number in kept],
    }


def column(grid: Grid, replies: Replies, kept: Sequence[int]) -> Mapping[str, Json]:
    """The replies of one arm to the kept prompts: one list a fact, seed after seed.

    `reply`, `reason` and `action` are places in `replies`, `reasons` and `actions`; a `verdict` is a place in the
    index's, and `MISSING` where there is no reply; `entropy` is in bits, to two digits.
    """
    texts, reasons, actions = Distinct(), Distinct(), Distinct()
    code = {verdict: number for number, verdict in enumerate(grid.verdicts)}
    found = list(_in_order(replies, kept))
    return {
        "seeds": list(replies),
        "verdict": [code[sample.verdict] if sample else MISSING for sample in found],
        "reply": [texts.place(sample.reply) if sample else MISSING for sample in found],
        "reason": [reasons.place(sample.reason) if sample else MISSING for sample in found],
        "action": [actions.place(_action(sample)) if sample else MISSING for sample in found],
        "tokens": [sample.tokens if sample else 0 for sample in found],
        "entropy": [_bits(sample) if sample else None for sample in found],
        "replies": texts.shown,
        "reasons": reasons.shown,
        "actions": actions.shown,
    }


def _in_order(replies: Replies, kept: Sequence[int]) -> Iterator[Sample | None]:
    for row in replies.values():
        yield from map(row.get, kept)


def link_name(sample: Sample) -> str:
    """What a link calls the prompt: not its id, which in some sets is the harmful question itself."""
    return hashlib.sha256(visible(f"{sample.benchmark}/{sample.prompt_id}").encode()).hexdigest()[:12]


def _prompt(sample: Sample, position: int) -> dict[str, Json]:
    return {
        "number": position + 1,
        "link": link_name(sample),
        "benchmark": visible(sample.benchmark),
        "id": visible(sample.prompt_id),
        "intent": str(sample.intent),
        "category": visible(sample.category),
        "attack": visible(sample.attack),
        "strategies": [visible(strategy) for strategy in sample.strategies],
        "template": visible(sample.template),
        "question": visible(sample.question),
        "text": visible(sample.prompt) if sample.prompt != sample.question else "",
    }


def _action(sample: Sample) -> str:
    return ", ".join(f"{name} {text}" for name, text in facts(sample.action))


def _bits(sample: Sample) -> float | None:
    entropy = sample.entropy
    return round(entropy, 2) if entropy is not None and math.isfinite(entropy) else None
