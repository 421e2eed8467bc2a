"""Small GGUF files, written by the reference implementation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import gguf
import numpy as np

TOKENS = ("<s>", "</s>", *(f"token{number}" for number in range(30)))


def write_gguf(
    path: Path, *, kv_heads: int | list[int] = 2, has_template: bool = True, value_length: int | None = None
) -> Path:
    """A file of two layers with 64 dimensions and four heads; its weights are noise."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_context_length(512)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(kv_heads)
    if value_length:
        writer.add_key_length(value_length)
        writer.add_value_length(value_length)
    writer.add_token_list(list(TOKENS))
    writer.add_token_scores([0.0] * len(TOKENS))
    if has_template:
        writer.add_chat_template("{{ messages }}")
    noise = np.random.default_rng(0).standard_normal
    writer.add_tensor("token_embd.weight", noise((32, 64), dtype=np.float32))
    quantized = gguf.quantize(noise((64, 64), dtype=np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.weight", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def sha256_of(content: bytes) -> str:
    """The hash as a catalogue has it."""
    return hashlib.sha256(content).hexdigest()
