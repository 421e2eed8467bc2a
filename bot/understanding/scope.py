"""Tells how much a vector looks like what was trained, so that what is for no intent is left alone.

Four views, each put on the scale of examples that were held out of training, are averaged: the energy of the scores
over sentence vectors, the best margin over n-grams, the Mahalanobis distance to the nearest class less that to the
whole, and the likeness to the nearest examples of the likeliest classes. No foreign example is ever needed.

Sources: Ren et al. 2021, "A simple fix to Mahalanobis distance", https://arxiv.org/abs/2106.09022; Sun et al. 2022,
"Out-of-distribution detection with deep nearest neighbors", https://arxiv.org/abs/2204.06507
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bot.understanding.heads import WIDTH, Array, energy

SHRINKAGE = 0.1
NEIGHBOURS = 5
LIKELIEST = 3
"""Classes whose examples are looked at: more would cost time, and change little."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """Where the examples of each class lie; n of them, of k classes, by the d numbers of the encoder's last layer."""

    centre: Array
    """d: the mean of all."""
    apart: Array
    """d x d: the inverse covariance within classes, less that of everything."""
    pulls: Array
    """d x k: the inverse covariance within classes times the classes' means."""
    offsets: Array
    """k: what of the distance to a class does not depend on the vector."""
    meanings: Array
    """n x d: those of one class side by side."""
    starts: Array
    """k + 1: where the examples of each class begin."""
    order: Array
    """n: the number of each row's example."""

    @classmethod
    def of(cls, vectors: Array, classes: Array, count: int) -> Landscape:
        """The landscape of examples.

        Args:
            vectors: sentence vectors, one row an example.
            classes: of which class each is.
            count: how many classes there are.
        """
        vectors = vectors[:, :WIDTH]
        order = np.argsort(classes, kind="stable")
        starts = np.searchsorted(classes[order], np.arange(count + 1))
        centre = vectors.mean(axis=0)
        centred = vectors - centre
        totals = np.zeros((count, vectors.shape[1]), np.float32)
        np.add.at(totals, classes, centred)
        means = totals / np.maximum(np.diff(starts), 1)[:, None]
        within = _inverse_covariance(centred - means[classes])
        pulls = within @ means.T
        return cls(
            centre=centre,
            apart=within - _inverse_covariance(centred),
            pulls=pulls,
            offsets=(means.T * pulls).sum(axis=0),
            meanings=vectors[order],
            starts=starts,
            order=order,
        )

    def views(self, vectors: Array, meaning_scores: Array, wording_scores: Array, ranked: Array) -> Array:
        """Four numbers a vector, each higher for what is familiar; `ranked` has the classes, the likeliest first."""
        meanings = vectors[:, :WIDTH]
        centred = meanings - self.centre
        to_classes = (self.offsets - 2 * centred @ self.pulls).min(axis=1)
        to_all = ((centred @ self.apart) * centred).sum(axis=1)
        likenesses = [self.nearest(vector, best)[1].mean() for vector, best in zip(meanings, ranked, strict=True)]
        return np.stack([energy(meaning_scores), wording_scores.max(axis=1), -to_classes - to_all, likenesses], axis=1)

    def nearest(self, vector: Array, ranked: Array) -> tuple[Array, Array]:
        """The nearest examples of the likeliest classes, and how like they are, the nearest first."""
        spans = [(self.starts[number], self.starts[number + 1]) for number in ranked[:LIKELIEST]]
        meaning = vector[:WIDTH]
        likenesses = np.concatenate([self.meanings[start:end] @ meaning for start, end in spans])
        rows = np.concatenate([np.arange(start, end) for start, end in spans])
        best = np.argsort(-likenesses)[:NEIGHBOURS]
        return self.order[rows[best]], likenesses[best]


@dataclass(frozen=True, slots=True)
class Scale:
    """How the views of held-out examples lie, which makes them comparable, and where the threshold is."""

    centres: Array = field(default_factory=lambda: np.zeros(4, np.float32))
    spreads: Array = field(default_factory=lambda: np.ones(4, np.float32))

    @classmethod
    def of(cls, views: Array) -> Scale:
        """The scale on which these views have mean 0 and deviation 1."""
        return cls(views.mean(axis=0), np.maximum(views.std(axis=0), 1e-6))

    def familiarity(self, views: Array) -> Array:
        """One number a vector: how familiar it looks, 0 for the average of what was held out."""
        return np.asarray(((views - self.centres) / self.spreads).mean(axis=1))


def _inverse_covariance(differences: Array) -> Array:
    covariance = differences.T @ differences / len(differences)
    width = len(covariance)
    level = max(float(np.trace(covariance)) / width, 1e-9)
    mixed = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(width, dtype=np.float32)
    return np.asarray(np.linalg.inv(mixed), np.float32)
