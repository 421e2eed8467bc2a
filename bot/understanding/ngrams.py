"""Texts to sparse vectors: which runs of characters and words they hold, the rare ones counting more (TF-IDF).

Carries languages that the encoder does not know, and wording that it does not tell apart. Two blocks, characters within
words and words, each of length one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bot.understanding.heads import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CHARACTERS = range(2, 6)
WORDS = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")
"""A Chinese character is a word of its own, as nothing shows where words end."""
WORD_MARK = "\n"
"""Begins the names of words, so that they are none of characters."""
LONGEST_CHARACTERS = 1000


class Ngrams:
    """The runs that were seen in training, and what each counts."""

    def __init__(self, names: Sequence[str], rarity: Array) -> None:
        """
        Args:
            names: each run of the vocabulary; its place is its column.
            rarity: what a run counts, per column.
        """
        self.names = tuple(names)
        self.rarity = rarity
        self._columns = {name: column for column, name in enumerate(self.names)}

    @classmethod
    def learn(cls, texts: Sequence[str]) -> Ngrams:
        """The runs of these texts."""
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update(set(_characters(text)) | set(_words(text)))
        counts = np.fromiter(seen.values(), np.float32, len(seen))
        return cls(list(seen), np.log((1 + len(texts)) / (1 + counts)) + 1)

    def vector(self, text: str) -> tuple[Array, Array]:
        """Columns and values of a text's vector; runs that were never seen are left out."""
        blocks = [self._block(_characters(text)), self._block(_words(text))]
        return np.concatenate([columns for columns, _ in blocks]), np.concatenate([values for _, values in blocks])

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """The vectors, one row a text."""
        from scipy.sparse import csr_matrix

        vectors = [self.vector(text) for text in texts]
        ends = np.cumsum([0, *(len(columns) for columns, _ in vectors)])
        columns = np.concatenate([columns for columns, _ in vectors] or [np.empty(0, np.int32)])
        values = np.concatenate([values for _, values in vectors] or [np.empty(0, np.float32)])
        return csr_matrix((values, columns, ends), shape=(len(texts), len(self.names)), dtype=np.float32)

    def _block(self, runs: Iterable[str]) -> tuple[Array, Array]:
        counts = Counter(column for run in runs if (column := self._columns.get(run)) is not None)
        columns = np.fromiter(counts, np.int32, len(counts))
        values = np.fromiter(counts.values(), np.float32, len(counts))
        values = (1 + np.log(values)) * self.rarity[columns]
        return columns, values / max(float(np.linalg.norm(values)), 1e-9)


def _characters(text: str) -> Iterator[str]:
    for word in _normal(text).split():
        padded = f" {word} "
        for length in CHARACTERS:
            if length > len(padded):
                break
            yield from [padded[start : start + length] for start in range(len(padded) - length + 1)]


def _words(text: str) -> Iterator[str]:
    words = WORDS.findall(_normal(text))
    yield from [WORD_MARK + word for word in words]
    yield from [f"{WORD_MARK}{first} {second}" for first, second in pairwise(words)]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:LONGEST_CHARACTERS]).lower()
