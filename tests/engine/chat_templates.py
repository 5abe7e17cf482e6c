"""Chat templates in the shape of those of known families, written for these tests, and tokenizers that know them."""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from harness.embedded.tokenizer import BEGIN, build


@dataclass(frozen=True)
class Shape:
    """A template, its special tokens, and what it makes of a system turn and a user's turn."""

    template: str
    special: tuple[str, ...]
    end: str
    """Of the assistant's turn."""
    asked: str
    """`[user: Q]`, with the assistant's header."""
    with_system: str
    """`[system: S, user: Q]`; empty where the template refuses it."""
    begin: str | None = BEGIN
    header: str = ""
    """Of the assistant's turn."""


LLAMA = Shape(
    template=(
        "{{ bos_token }}{% if not date_string is defined %}"
        "{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{% if messages[0]['role'] == 'system' %}{% set said = messages[0]['content'] %}"
        "{% set messages = messages[1:] %}{% else %}{% set said = '' %}{% endif %}"
        "<|start|>system<|stop|>Knowledge: December 2023\nToday: {{ date_string }}\n{{ said }}<|eot|>"
        "{% for message in messages %}<|start|>{{ message['role'] }}<|stop|>{{ message['content'] }}<|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant<|stop|>{% endif %}"
    ),
    special=("<|start|>", "<|stop|>", "<|eot|>"),
    end="<|eot|>",
    asked=(
        "<|begin|><|start|>system<|stop|>Knowledge: December 2023\nToday: 26 Jul 2024\n<|eot|>"
        "<|start|>user<|stop|>Q<|eot|><|start|>assistant<|stop|>"
    ),
    with_system=(
        "<|begin|><|start|>system<|stop|>Knowledge: December 2023\nToday: 26 Jul 2024\nS<|eot|>"
        "<|start|>user<|stop|>Q<|eot|><|start|>assistant<|stop|>"
    ),
    header="<|start|>assistant<|stop|>",
)
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
)
QWEN2 = Shape(
    template=(
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are kind.<|im_end|>\n{% endif %}"
        + _CHATML
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    special=("<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
    asked="<|im_start|>system\nYou are kind.<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
    with_system="<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
    begin=None,
    header="<|im_start|>assistant\n",
)
QWEN3 = Shape(
    template=(
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% if message['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
        "{{ message['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    special=("<|im_start|>", "<|im_end|>"),
    end="<|im_end|>",
    asked="<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
    with_system="<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
    begin=None,
    header="<|im_start|>assistant\n",
)
MISTRAL = Shape(
    template=(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set said = messages[0]['content'] ~ '\\n\\n' %}"
        "{% set messages = messages[1:] %}{% else %}{% set said = '' %}{% endif %}{% for message in messages %}"
        "{% if message['role'] == 'user' %}[INST] {% if loop.last %}{{ said }}{% endif %}"
        "{{ message['content'] }}[/INST]"
        "{% else %} {{ message['content'] }}</s>{% endif %}{% endfor %}"
    ),
    special=("[INST]", "[/INST]", "</s>"),
    end="</s>",
    asked="<|begin|>[INST] Q[/INST]",
    with_system="<|begin|>[INST] S\n\nQ[/INST]",
)
GEMMA = Shape(
    template=(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no role for that') }}{% endif %}"
        "{% for message in messages %}<turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
        "{{ message['content'] | trim }}<end>\n{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
    ),
    special=("<turn>", "<end>"),
    end="<end>",
    asked="<|begin|><turn>user\nQ<end>\n<turn>model\n",
    with_system="",
    header="<turn>model\n",
)
PHI3 = Shape(
    template=(
        "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|over|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    ),
    special=("<|over|>",),
    end="<|over|>",
    asked="<|user|>\nQ<|over|>\n<|assistant|>\n",
    with_system="<|system|>\nS<|over|>\n<|user|>\nQ<|over|>\n<|assistant|>\n",
    begin=None,
    header="<|assistant|>\n",
)
SHAPES = {"llama": LLAMA, "qwen2": QWEN2, "qwen3": QWEN3, "mistral": MISTRAL, "gemma": GEMMA, "phi3": PHI3}


def tokenizer_of(shape: Shape, *, end: str | None = None) -> PreTrainedTokenizerFast:
    """The embedded tokenizer with this template; its end of text is its own, or `end`."""
    tokenizer = build()
    tokenizer.add_tokens(list(shape.special), special_tokens=True)
    tokenizer.bos_token = shape.begin  # type: ignore[assignment]
    if end:
        tokenizer.eos_token = end
    tokenizer.chat_template = shape.template
    return tokenizer
