"""The sentence encoder as what recall compares turns with: its last layer, under a name that changes with its form."""

from __future__ import annotations

from collections.abc import Sequence

from bot.understanding.encoder import FORM, MODEL, SentenceEncoder
from bot.understanding.heads import Array

WIDTH = 384


class SentenceEmbedder:
    """An `Embedder` of `bot.memory.index`."""

    name = f"{MODEL}/{FORM}"

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder

    def embed(self, texts: Sequence[str]) -> Array:
        """One row of 384 numbers a text, of length one."""
        return self._encoder.encode(texts)[:, :WIDTH]
