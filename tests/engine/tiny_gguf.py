"""A random Llama as a GGUF file, made by the reference writer of the format."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType
from tokenizers.pre_tokenizers import ByteLevel

WIDTH, BLOCKS, NEURONS, HEADS, KEY_HEADS = 32, 2, 64, 4, 2
SPECIAL = ("<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VOCABULARY = (*SPECIAL, *sorted(ByteLevel.alphabet()), "er")


def write_gguf(path: Path, quantisation: LlamaFileType = LlamaFileType.ALL_F32) -> Path:
    """A file whose weights are drawn with one seed, so that all of them are alike."""
    writer = GGUFWriter(path, "llama")
    writer.add_file_type(quantisation)
    writer.add_block_count(BLOCKS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(NEURONS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(VOCABULARY))
    _add_tokenizer(writer)
    for name, shape in _shapes().items():
        drawn = np.random.default_rng(len(name) + sum(name.encode())).normal(0, 0.2, shape).astype(np.float32)
        writer.add_tensor(name, np.ones(shape, np.float32) if "norm" in name else drawn)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(list(VOCABULARY))
    kinds = [TokenType.CONTROL] * len(SPECIAL) + [TokenType.NORMAL] * (len(VOCABULARY) - len(SPECIAL))
    writer.add_token_types(kinds)
    writer.add_token_merges(["e r"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _shapes() -> dict[str, tuple[int, ...]]:
    narrow = WIDTH // HEADS * KEY_HEADS
    block = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (narrow, WIDTH),
        "attn_v": (narrow, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (NEURONS, WIDTH),
        "ffn_up": (NEURONS, WIDTH),
        "ffn_down": (WIDTH, NEURONS),
    }
    ends = {"token_embd.weight": (len(VOCABULARY), WIDTH), "output_norm.weight": (WIDTH,)}
    return ends | {f"blk.{number}.{name}.weight": shape for number in range(BLOCKS) for name, shape in block.items()}
