"""Reads the header of a GGUF file, so that a broken one is refused in words and its memory need is known beforehand.

Knows nothing of llama.cpp; reads with `struct` from a memory map and never touches the weights.
Source of the layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from math import prod
from pathlib import Path
from typing import Final

from bot.errors import ModelError
from bot.generation.sizes import format_size

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FIXED_HEADER_BYTES = 24
DEFAULT_ALIGNMENT = 32
MAX_ENTRIES = 1_000_000
"""More tensors or metadata keys than this are damage: the largest models have a few thousand."""
MAX_DIMENSIONS = 8

CACHE_ELEMENT_BYTES = 2
"""llama.cpp keeps keys and values in 16 bits unless told otherwise."""
UBATCH_TOKENS = 512
LOGIT_BYTES = 4
RUNTIME_BYTES = 64 * 2**20
"""The library itself, its graphs and small buffers."""

STRING, ARRAY = 8, 9
SCALARS: Final = {
    0: struct.Struct("<B"), 1: struct.Struct("<b"), 2: struct.Struct("<H"), 3: struct.Struct("<h"),
    4: struct.Struct("<I"), 5: struct.Struct("<i"), 6: struct.Struct("<f"), 7: struct.Struct("<?"),
    10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d"),
}  # fmt: skip
U32, U64 = SCALARS[4], SCALARS[10]

BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Tensor type to (weights a block, bytes a block), as in ggml's type table."""


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """What the header of a GGUF file says; a number that it does not say is None or 0."""

    path: Path
    architecture: str
    name: str
    size_bytes: int
    context_length: int | None
    """Tokens the model was trained for."""
    block_count: int
    vocabulary_size: int
    has_chat_template: bool
    cache_bytes_per_token: int
    """KV cache of one token over all layers, in 16 bits."""
    key_length: int = 0
    """Numbers in the key of one head."""


def estimate_memory_bytes(info: GgufInfo, context_length: int, slots: int) -> int:
    """Bytes that running the model takes at most: weights, KV cache of every slot, and the compute buffers.

    Args:
        info: the file's header.
        context_length: tokens of one slot.
        slots: requests that run at once.
    """
    cache = info.cache_bytes_per_token * context_length * slots
    logits = info.vocabulary_size * UBATCH_TOKENS * LOGIT_BYTES
    return info.size_bytes + cache + logits + RUNTIME_BYTES


def check_gguf(path: Path) -> GgufInfo:
    """Read the header and compare the file's size with what its tensors need.

    Raises:
        ModelError: the file is missing, unreadable, no GGUF, of an unknown version, damaged, or cut off.
    """
    try:
        status = path.stat()
        return _check(path, status.st_size, status.st_mtime_ns)
    except FileNotFoundError:
        raise ModelError("models.file_missing", path=path) from None
    except OSError as error:
        raise ModelError("models.unreadable", path=path, problem=error.strerror or error) from None


def check_start(path: Path, expected_bytes: int) -> None:
    """The check of `check_gguf` for a file of known size, in microseconds: its size and its first bytes.

    Raises:
        ModelError: as `check_gguf`.
    """
    try:
        with path.open("rb") as file:
            start = file.read(FIXED_HEADER_BYTES)
            size = file.seek(0, 2)
    except FileNotFoundError:
        raise ModelError("models.file_missing", path=path) from None
    except OSError as error:
        raise ModelError("models.unreadable", path=path, problem=error.strerror or error) from None
    _check_magic(path, start)
    if size < expected_bytes:
        raise _cut_off(path, size, expected_bytes)
    if size > expected_bytes:
        raise ModelError("models.wrong_size", path=path, size=format_size(size), expected=format_size(expected_bytes))


@lru_cache(maxsize=8)
def _check(path: Path, size_bytes: int, _changed_ns: int) -> GgufInfo:
    with path.open("rb") as file:
        _check_magic(path, file.read(FIXED_HEADER_BYTES))
        if size_bytes < FIXED_HEADER_BYTES:
            raise ModelError("models.gguf_damaged", path=path)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                header = _read_header(data)
                info = _describe(path, size_bytes, header)
            except (struct.error, IndexError):  # the header runs over the end of the file
                raise _cut_off(path, size_bytes, None) from None
            except (ValueError, TypeError, OverflowError, RecursionError):
                raise ModelError("models.gguf_damaged", path=path) from None
    if size_bytes < header.needed_bytes:
        raise _cut_off(path, size_bytes, header.needed_bytes)
    return info


def _check_magic(path: Path, start: bytes) -> None:
    if start[:4] != MAGIC:
        raise ModelError("models.not_gguf", path=path)
    version = U32.unpack_from(start, 4)[0] if len(start) >= 8 else 0
    if version not in VERSIONS:
        raise ModelError("models.gguf_version", path=path, version=version)


def _cut_off(path: Path, size_bytes: int, needed_bytes: int | None) -> ModelError:
    if needed_bytes is None:
        return ModelError("models.gguf_header_cut", path=path, size=format_size(size_bytes))
    return ModelError("models.gguf_cut", path=path, missing=format_size(needed_bytes - size_bytes))


# -- walking through the header -----------------------------------------------------------------------------

Value = int | float | bool | str


@dataclass(frozen=True, slots=True)
class _Header:
    values: dict[str, Value]
    arrays: dict[str, tuple[Value, ...]]
    lengths: dict[str, int]
    needed_bytes: int


class _Cursor:
    """A position in the file; every read moves it."""

    __slots__ = ("data", "position")

    def __init__(self, data: mmap.mmap, position: int) -> None:
        self.data = data
        self.position = position

    def scalar(self, kind: int) -> int | float | bool:
        form = SCALARS.get(kind)
        if form is None:
            raise ValueError(f"value type {kind}")
        value: int | float | bool = form.unpack_from(self.data, self.position)[0]
        self.position += form.size
        return value

    def number(self, form: struct.Struct = U64) -> int:
        value: int = form.unpack_from(self.data, self.position)[0]
        self.position += form.size
        return value

    def text(self) -> str:
        length = self.number()
        start, self.position = self.position, self.position + length
        if self.position > len(self.data):
            raise IndexError("a string runs over the end")
        return self.data[start : self.position].decode("utf-8", "replace")

    def skip_strings(self, count: int) -> None:
        """Pass `count` strings; the loop is bare because a tokenizer has hundreds of thousands of them."""
        position, data, read = self.position, self.data, U64.unpack_from
        for _ in repeat(None, count):
            position += 8 + read(data, position)[0]
        self.position = position

    def array(self) -> tuple[int, tuple[Value, ...]]:
        """The length of an array, and its items unless they are strings or arrays."""
        kind, count = self.number(U32), self.number()
        if kind == STRING:
            self.skip_strings(count)
            return count, ()
        if kind == ARRAY:
            for _ in repeat(None, count):
                self.array()
            return count, ()
        form = SCALARS.get(kind)
        if form is None:
            raise ValueError(f"array of type {kind}")
        start, self.position = self.position, self.position + count * form.size
        if self.position > len(self.data):
            raise IndexError("an array runs over the end")
        # the only long arrays are the tokenizer's scores and types, which nobody asks for
        if count > 4096:
            return count, ()
        return count, tuple(item[0] for item in form.iter_unpack(self.data[start : self.position]))


def _read_header(data: mmap.mmap) -> _Header:
    cursor = _Cursor(data, 8)
    tensor_count, entry_count = cursor.number(), cursor.number()
    if max(tensor_count, entry_count) > MAX_ENTRIES:
        raise ValueError("absurd counts")
    values: dict[str, Value] = {}
    arrays: dict[str, tuple[Value, ...]] = {}
    lengths: dict[str, int] = {}
    for _ in range(entry_count):
        key, kind = cursor.text(), cursor.number(U32)
        if kind == ARRAY:
            lengths[key], arrays[key] = cursor.array()
        else:
            values[key] = cursor.text() if kind == STRING else cursor.scalar(kind)
    end = max(_tensor_ends(cursor, tensor_count), default=0)
    alignment = max(1, int(values.get("general.alignment", DEFAULT_ALIGNMENT)))
    start = -(-cursor.position // alignment) * alignment
    return _Header(values, arrays, lengths, start + end if tensor_count else cursor.position)


def _tensor_ends(cursor: _Cursor, count: int) -> Iterator[int]:
    """For each tensor the byte after its last, counted from where tensors begin."""
    for _ in range(count):
        cursor.text()
        dimensions = cursor.number(U32)
        if dimensions > MAX_DIMENSIONS:
            raise ValueError("absurd dimensions")
        weights = prod(cursor.number() for _ in range(dimensions))
        kind, offset = cursor.number(U32), cursor.number()
        block_weights, block_bytes = BLOCKS.get(kind, (1, 0))  # of an unknown type only the place is known
        yield offset + weights // block_weights * block_bytes


def _describe(path: Path, size_bytes: int, header: _Header) -> GgufInfo:
    architecture = str(header.values.get("general.architecture", ""))
    if not architecture:
        raise ValueError("no architecture")
    context = header.values.get(f"{architecture}.context_length")
    return GgufInfo(
        path=path,
        architecture=architecture,
        name=str(header.values.get("general.name", path.stem)),
        size_bytes=size_bytes,
        context_length=int(context) if context else None,
        block_count=_number(header, f"{architecture}.block_count"),
        vocabulary_size=header.lengths.get("tokenizer.ggml.tokens", 0),
        has_chat_template="tokenizer.chat_template" in header.values,
        cache_bytes_per_token=_cache_bytes_per_token(header, architecture),
        key_length=_head_length(header, architecture, "key"),
    )


def _cache_bytes_per_token(header: _Header, architecture: str) -> int:
    """Keys and values of one token: heads times their length, summed over the layers (which may differ)."""
    layers = _number(header, f"{architecture}.block_count")
    heads = _number(header, f"{architecture}.attention.head_count")
    keys, values = (_head_length(header, architecture, part) for part in ("key", "value"))
    cached = f"{architecture}.attention.head_count_kv"
    per_layer = header.arrays.get(cached)
    total_heads = sum(map(int, per_layer)) if per_layer else layers * _number(header, cached, heads)
    return total_heads * (keys + values) * CACHE_ELEMENT_BYTES


def _head_length(header: _Header, architecture: str, part: str) -> int:
    """Numbers in one head's key or value; an even share of the embedding where the header does not say."""
    heads = _number(header, f"{architecture}.attention.head_count")
    share = _number(header, f"{architecture}.embedding_length") // max(1, heads)
    return _number(header, f"{architecture}.attention.{part}_length", share)


def _number(header: _Header, key: str, default: int = 0) -> int:
    """A whole number; of one that differs by layer the largest."""
    if items := header.arrays.get(key):
        return max(map(int, items))
    return int(header.values.get(key, default))
