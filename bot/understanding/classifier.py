"""The trained classifier of intents: a text in, its intents by probability and how familiar it looks out.

Needs the encoder, NumPy and nothing else; `bot.understanding.training` makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bot.understanding.heads import Array, apply, softmax, standardized
from bot.understanding.ngrams import Ngrams
from bot.understanding.scope import Landscape, Scale


class Encoder(Protocol):
    """Gives sentences vectors."""

    def rarity(self, sentences: Sequence[str]) -> Array: ...

    def encode(self, sentences: Sequence[str], *, rarity: Array | None = None, workers: int = 1) -> Array: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one text."""

    ranking: tuple[tuple[str, float], ...]
    """Intents and their probabilities if it is for any of them, the likeliest first."""
    familiarity: float
    """How much it looks like what was trained; 0 is the average of held-out examples."""
    is_familiar: bool
    """Whether that is over the threshold, and the text has a letter or a digit at all."""

    @property
    def intent(self) -> str:
        """The likeliest."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """Its probability."""
        return self.ranking[0][1]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What sentence vectors tell."""

    scales: Array
    """What each number of a sentence vector counts."""
    centre: Array
    weights: Array

    def scores(self, sentence_vectors: Array) -> Array:
        """One row a text, one column an intent."""
        return apply(self.weights, sentence_vectors * self.scales - self.centre)


@dataclass(frozen=True, slots=True)
class Wording:
    """What n-grams tell."""

    ngrams: Ngrams
    weights: Array

    def scores(self, texts: Sequence[str]) -> Array:
        """One row a text, one column an intent."""
        rows = np.empty((len(texts), self.weights.shape[1]), np.float32)
        for row, text in enumerate(texts):
            columns, values = self.ngrams.vector(text)
            rows[row] = values @ self.weights[columns] + self.weights[-1]
        return rows


@dataclass(frozen=True, slots=True)
class Parts:
    """What is fitted to examples."""

    meaning: Meaning
    wording: Wording
    landscape: Landscape


@dataclass(frozen=True, slots=True)
class Fusion:
    """How both scores become one."""

    wording_weight: float
    is_standardized: bool
    """Whether each text's scores are brought to one spread first: better with many intents. With few, how far scores
    are apart tells how sure each part is."""
    sharpness: float = 1.0
    """What the sum is multiplied by, so that probabilities are as right as they claim."""

    def of(self, meaning_scores: Array, wording_scores: Array) -> Array:
        """One score a text and intent."""
        if self.is_standardized:
            meaning_scores, wording_scores = standardized(meaning_scores), standardized(wording_scores)
        return self.sharpness * (meaning_scores + self.wording_weight * wording_scores)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was chosen on held-out examples."""

    fusion: Fusion
    scale: Scale
    threshold: float
    """Of familiarity."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Everything that is needed to judge texts but the encoder."""

    intents: tuple[str, ...]
    examples: tuple[str, ...]
    rarity: Array
    """What the tokens count when a text is encoded."""
    parts: Parts
    calibration: Calibration

    def encode(self, texts: Sequence[str], encoder: Encoder, *, workers: int = 1) -> Array:
        """The sentence vectors, as they were made in training."""
        return encoder.encode(texts, rarity=self.rarity, workers=workers)

    def judge(self, texts: Sequence[str], encoder: Encoder) -> list[Verdict]:
        """A verdict for each text."""
        probabilities, familiarities = self.weigh(texts, self.encode(texts, encoder))
        return [
            self._verdict(text, row, float(familiarity))
            for text, row, familiarity in zip(texts, probabilities, familiarities, strict=True)
        ]

    def weigh(self, texts: Sequence[str], sentence_vectors: Array) -> tuple[Array, Array]:
        """Probabilities, one row a text and one column an intent, and familiarities."""
        return weigh(texts, sentence_vectors, self.parts, self.calibration)

    def nearest_examples(self, text: str, encoder: Encoder) -> list[tuple[str, float]]:
        """The examples of the likeliest intents that are most like the text, and how like they are."""
        vectors = self.encode([text], encoder)
        probabilities, _ = self.weigh([text], vectors)
        found = self.parts.landscape.nearest(vectors[0], np.argsort(-probabilities[0]))
        return [(self.examples[number], float(likeness)) for number, likeness in zip(*found, strict=True)]

    def _verdict(self, text: str, probabilities: Array, familiarity: float) -> Verdict:
        order = np.argsort(-probabilities)
        ranking = tuple((self.intents[number], float(probabilities[number])) for number in order)
        says_something = any(sign.isalnum() for sign in text)  # emoji are all one to the encoder
        return Verdict(ranking, familiarity, says_something and familiarity >= self.calibration.threshold)


def weigh(texts: Sequence[str], vectors: Array, parts: Parts, chosen: Calibration) -> tuple[Array, Array]:
    """Probabilities of the texts whose sentence vectors these are, and how familiar they look."""
    meaning, wording = parts.meaning.scores(vectors), parts.wording.scores(texts)
    fused = chosen.fusion.of(meaning, wording)
    views = parts.landscape.views(vectors, meaning, wording, np.argsort(-fused, axis=1))
    return softmax(fused), chosen.scale.familiarity(views)
