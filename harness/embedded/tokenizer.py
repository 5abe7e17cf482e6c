"""The embedded model's tokenizer: one token a word of its world, bytes for everything else.

Built with the `tokenizers` library as a unigram model whose pieces are given, not learnt, and wrapped as an ordinary
`PreTrainedTokenizerFast` with a chat template, so that it is saved and loaded like any checkpoint's.
"""

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchmarks.embedded import attacks, curriculum, facts, replies, vocabulary

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
_WORD = Regex(r"▁?[\p{L}'\u2019]+|▁?\p{N}|▁?[^\s▁\p{L}\p{N}]|\s|▁")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build() -> PreTrainedTokenizerFast:
    """A tokenizer that knows every word of the embedded world, deterministic and lossless.

    Two things do not survive: U+2581, which stands for the space, and the names of its own special tokens.
    """
    special = [PAD, BEGIN, END, *ROLES]
    byte_pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [(piece, 0.0) for piece in special] + [(piece, -20.0) for piece in byte_pieces]
    pieces += [(word, -1.0) for word in sorted(_words())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(_WORD, "isolated")
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD, padding_side="left"
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def _words() -> set[str]:
    normalizer, splitter = _normalizer(), pre_tokenizers.Split(_WORD, "isolated")
    return {piece for text in _texts() for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}


def _normalizer() -> normalizers.Normalizer:
    """A visible space before the text and for every space in it: a text that begins with one keeps its own."""
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def _texts() -> Iterable[str]:
    """Every text of the world once; a pattern's placeholders fall away as words of no consequence."""
    yield from replies.corpus()
    yield from curriculum.REMINDERS
    yield from curriculum.ORDERS
    yield from (f"{template.text} {template.lead_in}" for template in attacks.TEMPLATES)
    yield from (action.phrase for action in vocabulary.ACTIONS)
    yield from (f"{thing.name} {thing.part} {thing.place}" for thing in vocabulary.THINGS)
    yield from (*vocabulary.OTHERS, *vocabulary.OWN, *vocabulary.FURTIVE, *vocabulary.OPEN, *vocabulary.NEUTRAL)
    yield from (*vocabulary.PHRASINGS, *vocabulary.ALARMING, *vocabulary.SETTINGS)
    yield from (f"{fact.question} {fact.statement}" for fact in facts.FACTS)
    for relation, values in facts.PROPERTIES.items():
        yield " ".join((relation, *values))
    yield "A. B. C. D.\nA.\nB.\nC.\nD.\n \nYes No 0 1 2 3 4 5 6 7 8 9 , . : ; ! ? - ( ) \" '"
