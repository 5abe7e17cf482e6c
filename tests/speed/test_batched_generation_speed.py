"""What batching and hooks do to the speed of methods that own the generation: `pytest -m speed -s`.

The gain of `default` is the most that a method can have on this machine and model.

Seconds are those of one processor core, so other programs on the machine do not count. Each ratio is of the best of
several repetitions, taken in turns.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import pytest
import torch

from benchmarks.base import Prompt, Reply
from benchmarks.registry import load_alignment
from harness.base import ModelSpec
from harness.registry import engine
from methods.base import ChatModel, GenerationSettings
from methods.registry import METHODS
from methods.residual import added
from methods.settings import build_settings

BATCH = 32
GENERATION = GenerationSettings(max_new_tokens=96)


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def embedded() -> ChatModel:
    return engine("transformers").load(ModelSpec("embedded"))


def dev_prompts() -> list[Prompt]:
    """Every kind of them, attacked and plain, harmful and benign."""
    dev = load_alignment("embedded").dev
    return list(dev[:: len(dev) // BATCH][:BATCH])


def silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


def best_seconds(repetitions: int, *works: Callable[[], object]) -> list[float]:
    """Processor seconds of each, at best."""
    best = [float("inf")] * len(works)
    for _ in range(repetitions):
        for place, work in enumerate(works):
            started = time.process_time()
            work()
            best[place] = min(best[place], time.process_time() - started)
    return best


def one_by_one(model: ChatModel, prompts: Sequence[Prompt]) -> list[Reply]:
    return [model.generate([prompt], GENERATION)[0] for prompt in prompts]


@pytest.mark.speed
@pytest.mark.parametrize("name", sorted({"default", "scans", "cavgan"} & METHODS.keys()))
def test_a_batch_is_answered_faster_than_one_prompt_at_a_time_with_the_same_replies(name: str) -> None:
    model, prompts = embedded(), dev_prompts()
    kind = METHODS[name]
    fitted = kind(build_settings(kind.settings_type, {}, name)).fit(model, load_alignment("embedded"), 0, silent)
    with fitted.applied(model) as protected:
        together, alone = protected.generate(prompts, GENERATION), one_by_one(protected, prompts)
        batched, single = best_seconds(
            3, lambda: protected.generate(prompts, GENERATION), lambda: one_by_one(protected, prompts)
        )
    assert [reply.token_ids for reply in together] == [reply.token_ids for reply in alone]
    tokens = sum(len(reply.token_ids) for reply in together)
    print(
        f"\n{name}: {tokens / batched:,.0f} tokens a second in a batch of {BATCH}, {tokens / single:,.0f} one prompt "
        f"at a time ({single / batched:.1f} times)"
    )


@pytest.mark.speed
@pytest.mark.parametrize("rows", [1, BATCH])
def test_adding_a_vector_costs_little_beside_generation(rows: int) -> None:
    model, prompts = embedded(), dev_prompts()[:rows]
    width = len(model.network.get_submodule("model.norm").weight)  # type: ignore[arg-type]
    vectors = {block.index: torch.zeros(width) for block in model.blocks}

    def hooked() -> list[Reply]:
        with added(model, vectors, lambda state: state.is_after_prompt.float()):
            return model.generate(prompts, GENERATION)

    assert [reply.token_ids for reply in hooked()] == [reply.token_ids for reply in model.generate(prompts, GENERATION)]
    plain, steered = best_seconds(12, lambda: model.generate(prompts, GENERATION), hooked)
    print(
        f"\nadding a vector after each of {len(vectors)} blocks, batch of {rows}: {steered:.3f} s against "
        f"{plain:.3f} s unhooked ({100 * (steered / plain - 1):+.1f} %)"
    )
