"""How far a server says what the local network says: the same arm, the same prompts, token by token."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.base import Kind, Reply
from harness import ledger
from harness.cells import Ordered
from harness.plan import Cell
from harness.records import reply_from_json
from harness.run_folder import RunFolder
from harness.seal import sealed
from harness.serving import Server
from harness.storage import write_json, writing
from methods.base import ChatModel, Fitted, GenerationSettings

PROMPTS = 16
"""Of each benchmark, the first in the order of work, which are the longest."""


class Answered(NamedTuple):
    """A cell whose replies are all there."""

    questions: Ordered
    cell: Cell


def measure(
    fitted: Fitted, model: ChatModel, answered: Sequence[Answered], folder: RunFolder, settings: GenerationSettings
) -> None:
    """Let the local network answer some prompts too, and keep the comparison; nothing where there is no server.

    Raises:
        StorageError: If the disk refuses.
    """
    if not isinstance(model, Server):
        return
    wanted = [
        one
        for one in answered
        if one.questions.benchmark.kind is Kind.GENERATION and not folder.parity(one.cell).exists()
    ]
    if not wanted:
        return
    with fitted.applied(model.local) as protected:
        for questions, cell in wanted:
            prompts = questions.prompts[:PROMPTS]
            records = ledger.read(folder.replies(cell)).records
            served = [reply_from_json(records[prompt.id]) for prompt in prompts]
            found = compare_replies(served, protected.generate(prompts, settings))
            with writing(folder.root):
                write_json(folder.parity(cell), sealed(found))


def compare_replies(served: Sequence[Reply], local: Sequence[Reply]) -> dict[str, Any]:
    """How many replies are the same to the token, and where the others begin to differ.

    Args:
        served: What the server said.
        local: What the local network said to the same prompts.
    """
    pairs = zip(served, local, strict=True)
    places = {one.prompt_id: first_divergence(one.token_ids, other.token_ids) for one, other in pairs}
    diverging = {name: place for name, place in places.items() if place is not None}
    return {"replies": len(places), "identical": len(places) - len(diverging), "first_divergence": diverging}


def first_divergence(one: Sequence[int], other: Sequence[int]) -> int | None:
    """Index of the first token in which two replies differ; None if they are the same."""
    if tuple(one) == tuple(other):
        return None
    differing = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differing, min(len(one), len(other)))


def summary(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What `measure` kept of the cells of an arm, in sums; nothing where nothing was measured."""
    kept = list(found)
    if not kept:
        return {}
    diverging = {name: place for one in kept for name, place in one["first_divergence"].items()}
    facts = {name: sum(one[name] for one in kept) for name in ("replies", "identical")}
    earliest = min(diverging.items(), key=lambda pair: pair[1], default=None)
    return facts | ({"first_diverging_prompt": earliest[0], "diverging_at_token": earliest[1]} if earliest else {})
