"""Train the embedded model: a helpful-only base, then the aligned model from it.

    python -m harness.embedded.train --output harness/embedded/checkpoints

The rows come from `benchmarks.embedded.curriculum`; no test or dev topic, held-out template or test question is among
them. The loss is on the replies. Weights are stored in bfloat16, which is also what they are measured in.
"""

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.embedded.curriculum import Row, Stage, draw
from harness.embedded import tokenizer as embedded_tokenizer


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how hard one stage trains."""

    steps: int
    learning_rate: float
    seed: int
    rows_a_step: int = 64
    warm_up: int = 50


COURSES: dict[Stage, Course] = {
    Stage.BASE: Course(steps=1000, learning_rate=2e-3, seed=11),
    Stage.ALIGNED: Course(steps=600, learning_rate=1e-3, seed=12),
}


def new_model(vocabulary_size: int) -> LlamaForCausalLM:
    """The architecture: six Llama blocks, 192 wide, 512 neurons each."""
    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(COURSES[Stage.BASE].seed)
    return LlamaForCausalLM(config)


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, stage: Stage, course: Course) -> None:
    """Train in place: AdamW, linear warm-up, cosine decay to a tenth."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=course.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, course))
    model.train()
    started = time.monotonic()
    for step, (ids, labels) in enumerate(_batches(tokenizer, stage, course)):
        # Rows are padded on the right, where a causal model never looks: no mask is needed. Half-precision matrix
        # products are 1.6 times faster here on processors that have them.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=ids).logits[:, :-1]
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), labels[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            typer.echo(
                f"{stage} step {step} of {course.steps}: loss {loss.item():.3f}, {time.monotonic() - started:.0f} s"
            )
    model.eval()


def main(
    output: Annotated[Path, typer.Option(help="Folder that gets base/ and aligned/.")],
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    start: Annotated[Path | None, typer.Option(help="A base checkpoint: train the aligned stage alone.")] = None,
) -> None:
    """Train both stages and save them as ordinary checkpoints."""
    torch.set_num_threads(threads)
    tokenizer = embedded_tokenizer.build()
    if start is None:
        model = new_model(len(tokenizer))
        train(model, tokenizer, Stage.BASE, COURSES[Stage.BASE])
        save(model, tokenizer, output / Stage.BASE)
    else:
        model = LlamaForCausalLM.from_pretrained(start, dtype=torch.float32)
    train(model, tokenizer, Stage.ALIGNED, COURSES[Stage.ALIGNED])
    save(model, tokenizer, output / Stage.ALIGNED)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a bfloat16 checkpoint with tokenizer; the model itself is left in float32, rounded to what was written."""
    model.bfloat16()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.float()


def _rate(step: int, course: Course) -> float:
    if step < course.warm_up:
        return (step + 1) / course.warm_up
    done = (step - course.warm_up) / max(1, course.steps - course.warm_up)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def _batches(tokenizer: PreTrainedTokenizerFast, stage: Stage, course: Course) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of rows of like length; eight are drawn at a time and shuffled."""
    rng = random.Random(course.seed)
    done = 0
    while done < course.steps:
        rows = [_encode(tokenizer, draw(stage, rng)) for _ in range(8 * course.rows_a_step)]
        rows.sort(key=lambda row: len(row[0]))
        batches = [rows[start : start + course.rows_a_step] for start in range(0, len(rows), course.rows_a_step)]
        rng.shuffle(batches)
        for batch in batches[: course.steps - done]:
            yield _pad(batch)
            done += 1


def _encode(tokenizer: PreTrainedTokenizerFast, row: Row) -> tuple[list[int], list[int]]:
    conversation = [{"role": message.role, "content": message.content} for message in row.messages]
    text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    prompt: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    reply: list[int] = [*tokenizer(row.reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return prompt + reply, [-100] * len(prompt) + reply


def _pad(batch: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor]:
    width = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batch])
    labels = torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in batch])
    return ids, labels


if __name__ == "__main__":
    typer.run(main)
