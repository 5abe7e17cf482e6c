"""Replies as data for the page's browser. The page puts them on the screen as text, never as markup."""

import json
from collections.abc import Mapping

from benchmarks.base import Intent, Json
from reports.base import Comparison, Sample
from reports.facts import facts
from reports.foreign import visible


def samples_json(comparison: Comparison) -> str:
    """All samples as JSON that is safe inside `<script type="application/json">`.

    A prompt is stored once however many arms and seeds answered it: `{"prompts": [...], "replies": [...]}`, where
    `reply["prompt"]` is an index into `prompts`.
    """
    prompts: dict[tuple[str, ...], int] = {}
    replies = []
    for sample in comparison.samples:
        index = prompts.setdefault(_prompt_key(sample), len(prompts))
        replies.append({"prompt": index, **_reply(sample)})
    return script_json({"prompts": [_prompt(key) for key in prompts], "replies": replies})


def script_json(value: object) -> str:
    """JSON without any character that HTML or old JavaScript could take for its own."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _prompt_key(sample: Sample) -> tuple[str, ...]:
    head = (sample.benchmark, sample.prompt_id, sample.intent, sample.category, sample.attack)
    return (*head, sample.question, sample.prompt)


def _prompt(key: tuple[str, ...]) -> dict[str, Json]:
    benchmark, prompt_id, intent, category, attack, question, text = map(visible, key)
    return {
        "benchmark": benchmark,
        "id": prompt_id,
        "isHarmful": intent == Intent.HARMFUL,
        "category": category,
        "attack": attack,
        "question": question,
        "text": text,
    }


def _reply(sample: Sample) -> Mapping[str, Json]:
    return {
        "arm": visible(sample.arm),
        "seed": sample.seed,
        "text": visible(sample.reply),
        "verdict": visible(sample.verdict),
        "reason": visible(sample.reason),
        "action": visible(", ".join(f"{name} {text}" for name, text in facts(sample.action))),
    }
