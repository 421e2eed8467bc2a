"""The trained classifier of intents: a text in, its intents by probability and how familiar it looks out.

Needs the encoder, numpy and nothing else; `bot.understanding.training` makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bot.understanding.heads import Array, apply, softmax, standardized
from bot.understanding.ngrams import Ngrams
from bot.understanding.scope import Landscape, Scale

MEANING = 384
"""The leading numbers of a sentence vector: what its last layer says."""


class Encoder(Protocol):
    """Gives sentences vectors."""

    def encode(self, sentences: Sequence[str], *, workers: int = 1) -> Array: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one text."""

    ranking: tuple[tuple[str, float], ...]
    """Intents and their probabilities if it is for any of them, the likeliest first."""
    familiarity: float
    """How much it looks like what was trained; 0 is the average of held-out examples."""
    is_familiar: bool
    """Whether that is over the threshold."""

    @property
    def intent(self) -> str:
        """The likeliest."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.ranking[0][1]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is fitted to examples."""

    block_scales: Array
    """What each number of a sentence vector counts."""
    centre: Array
    dense: Array
    """Weights over sentence vectors."""
    ngrams: Ngrams
    sparse: Array
    """Weights over n-grams."""
    landscape: Landscape

    def scores(self, texts: Sequence[str], sentence_vectors: Array) -> Scores:
        """What each part says of the texts."""
        vectors = sentence_vectors * self.block_scales - self.centre
        return Scores(vectors, sentence_vectors[:, :MEANING], apply(self.dense, vectors), self._sparse_scores(texts))

    def _sparse_scores(self, texts: Sequence[str]) -> Array:
        rows = []
        for text in texts:
            columns, values = self.ngrams.vector(text)
            rows.append(values @ self.sparse[columns] + self.sparse[-1])
        return np.stack(rows) if rows else np.empty((0, self.sparse.shape[1]), np.float32)


@dataclass(frozen=True, slots=True)
class Scores:
    """What the parts say of some texts, one row a text."""

    vectors: Array
    meanings: Array
    dense: Array
    sparse: Array

    def fused(self, sparse_weight: float) -> Array:
        """Both scores in one."""
        return standardized(self.dense) + sparse_weight * standardized(self.sparse)

    def views(self, landscape: Landscape, fused: Array) -> Array:
        """What the landscape says of them."""
        ranked = np.argsort(-fused, axis=1)
        return landscape.views(self.vectors, self.meanings, self.dense, self.sparse, ranked)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was chosen on held-out examples."""

    sparse_weight: float
    sharpness: float
    """What fused scores are multiplied by, so that probabilities are as right as they claim."""
    scale: Scale
    threshold: float
    """Of familiarity."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Everything that is needed to judge texts but the encoder."""

    intents: tuple[str, ...]
    examples: tuple[str, ...]
    parts: Parts
    calibration: Calibration

    def judge(self, texts: Sequence[str], encoder: Encoder) -> list[Verdict]:
        """A verdict for each text."""
        probabilities, familiarities = self.weigh(texts, encoder.encode(texts))
        return [
            self._verdict(row, float(familiarity))
            for row, familiarity in zip(probabilities, familiarities, strict=True)
        ]

    def weigh(self, texts: Sequence[str], sentence_vectors: Array) -> tuple[Array, Array]:
        """Probabilities, one row a text and one column an intent, and familiarities."""
        scores, chosen = self.parts.scores(texts, sentence_vectors), self.calibration
        fused = scores.fused(chosen.sparse_weight)
        familiarity = chosen.scale.familiarity(scores.views(self.parts.landscape, fused))
        return softmax(fused * chosen.sharpness), familiarity

    def nearest_examples(self, text: str, encoder: Encoder) -> list[tuple[str, float]]:
        """The examples of the likeliest intents that are most like the text, and how like they are."""
        vectors = encoder.encode([text])
        fused = self.parts.scores([text], vectors).fused(self.calibration.sparse_weight)
        found = self.parts.landscape.nearest(vectors[0, :MEANING], np.argsort(-fused[0]))
        return [(self.examples[number], float(likeness)) for number, likeness in zip(*found, strict=True)]

    def _verdict(self, probabilities: Array, familiarity: float) -> Verdict:
        order = np.argsort(-probabilities)
        ranking = tuple((self.intents[number], float(probabilities[number])) for number in order)
        return Verdict(ranking, familiarity, familiarity >= self.calibration.threshold)
