"""Trains a classifier of intents, and chooses everything that is to choose on examples held out of training.

Seconds of one core: encoding takes most of it. No foreign example is needed, though a few may settle the threshold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.understanding.classifier import MEANING, Calibration, Classifier, Encoder, Parts, Scores
from bot.understanding.heads import Array, fit_logistic, fit_margins, softmax
from bot.understanding.ngrams import Ngrams
from bot.understanding.scope import Landscape, Scale

EARLIER_LAYERS = (0.3, 1.0)
"""How much the layers before the last may count."""
SPARSE_WEIGHTS = (0.1, 0.2, 0.35, 0.6, 1.0, 2.0, 4.0)
SHARPNESSES = tuple(map(float, np.geomspace(0.3, 8, 18)))
FOLDS = 5
ONE_FOLD_FROM = 3000
"""Examples from which one fold, held out once, is enough."""
ENOUGH_HELD_OUT = 10
KEPT_SHARE = 0.95
"""Of held-out examples, how many look familiar enough, where no foreign ones are given."""
UNTESTED = Calibration(sparse_weight=0.2, sharpness=2.0, scale=Scale(), threshold=-np.inf)
"""Where there are too few examples to hold any out."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts, and for each the name of its intent."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class _Examples:
    """Examples with their vectors; `names` say what the intents are called, and count as one example more of each."""

    texts: Sequence[str]
    classes: Array
    vectors: Array
    names: Sequence[str]
    name_vectors: Array

    def __getitem__(self, rows: Array) -> _Examples:
        texts = [self.texts[row] for row in rows]
        return replace(self, texts=texts, classes=self.classes[rows], vectors=self.vectors[rows])

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def count(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Scores of examples by parts that never saw them."""

    classes: Array
    scores: Scores
    views: Callable[[Array], Array]
    """The landscape's views, given the fused scores."""


def train(
    examples: Labelled,
    encoder: Encoder,
    *,
    # what is chosen on
    dev: Labelled | None = None,
    foreign: Sequence[str] = (),
    # how
    seed: int = 0,
    workers: int = 1,
) -> Classifier:
    """Train on the examples.

    Args:
        examples: at least one.
        encoder: gives the sentence vectors.
        dev: examples to choose on; without them some of `examples` are held out in turn.
        foreign: texts for no intent, by which the threshold is chosen; nothing else is.
        seed: decides which examples are held out.
        workers: threads that encode.
    """
    intents = tuple(sorted(set(examples.labels)))
    numbers = {intent: number for number, intent in enumerate(intents)}
    known = _encoded(examples, intents, encoder, workers)
    asked = None
    if dev is not None:
        usable = [row for row, label in enumerate(dev.labels) if label in numbers]
        dev = Labelled(tuple(dev.texts[row] for row in usable), tuple(dev.labels[row] for row in usable))
        asked = _encoded(dev, intents, encoder, workers)
    parts, calibration = _chosen(known, asked, foreign, encoder, seed)
    return Classifier(intents, examples.texts, parts, calibration)


def spoken(name: str) -> str:
    """An intent's name as words: `reminder.create` and `ReminderCreate` are "reminder create"."""
    return re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).strip().lower()


def _encoded(labelled: Labelled, intents: Sequence[str], encoder: Encoder, workers: int) -> _Examples:
    numbers = {intent: number for number, intent in enumerate(intents)}
    names = [spoken(intent) for intent in intents]
    vectors = encoder.encode([*labelled.texts, *names], workers=workers)
    classes = np.array([numbers[label] for label in labelled.labels], np.int64)
    return _Examples(labelled.texts, classes, vectors[: len(labelled)], names, vectors[len(labelled) :])


# -- choosing -----------------------------------------------------------------------------------------------


def _chosen(
    known: _Examples, dev: _Examples | None, foreign: Sequence[str], encoder: Encoder, seed: int
) -> tuple[Parts, Calibration]:
    splits = [_without(known, dev)] if dev is not None and len(dev) else list(_folds(known, seed))
    if sum(len(held_out) for _, held_out in splits) < ENOUGH_HELD_OUT:
        return _fit(known, EARLIER_LAYERS[0]), UNTESTED
    best: tuple[float, float, Calibration, list[Parts]] | None = None
    for earlier_layers in EARLIER_LAYERS:
        fitted = [_fit(rest, earlier_layers) for rest, _ in splits]
        held_out = [_held_out(parts, examples) for parts, (_, examples) in zip(fitted, splits, strict=True)]
        surprise, calibration = _calibrate(held_out)
        if best is None or surprise < best[0]:
            best = surprise, earlier_layers, calibration, fitted
    assert best is not None
    _, earlier_layers, calibration, fitted = best
    is_whole = len(splits) == 1 and len(splits[0][0]) == len(known)
    parts = fitted[0] if is_whole else _fit(known, earlier_layers)
    if foreign:
        calibration = _with_foreign(calibration, fitted, [examples for _, examples in splits], foreign, encoder)
    return parts, calibration


def _without(known: _Examples, dev: _Examples) -> tuple[_Examples, _Examples]:
    """What is known but for texts that stand in `dev`, too; and `dev`."""
    held_out = {_plain(text) for text in dev.texts}
    rows = [row for row, text in enumerate(known.texts) if _plain(text) not in held_out]
    return (known if len(rows) == len(known) else known[np.array(rows, np.int64)]), dev


def _plain(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())


def _folds(known: _Examples, seed: int) -> Iterator[tuple[_Examples, _Examples]]:
    """Splits in which every intent keeps an example; what has only one is never held out."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(known))
    folds = np.full(len(known), -1)
    for number in range(known.count):
        rows = order[known.classes[order] == number]
        if len(rows) > 1:
            folds[rows] = (np.arange(len(rows)) + random.integers(FOLDS)) % FOLDS
    for fold in range(FOLDS if len(known) < ONE_FOLD_FROM else 1):
        held_out = np.flatnonzero(folds == fold)
        if len(held_out):
            yield known[np.flatnonzero(folds != fold)], known[held_out]


def _held_out(parts: Parts, examples: _Examples) -> _HeldOut:
    scores = parts.scores(examples.texts, examples.vectors)
    return _HeldOut(examples.classes, scores, lambda fused: scores.views(parts.landscape, fused))


def _calibrate(held_out: Sequence[_HeldOut]) -> tuple[float, Calibration]:
    """The least mean surprise (negative log-likelihood) over held-out examples, and what reaches it."""
    classes = np.concatenate([fold.classes for fold in held_out])
    surprise, sparse_weight, sharpness = min(
        (_surprise(fused, classes, sharpness), weight, sharpness)
        for weight in SPARSE_WEIGHTS
        for fused in [np.vstack([fold.scores.fused(weight) for fold in held_out])]
        for sharpness in SHARPNESSES
    )
    views = np.vstack([fold.views(fold.scores.fused(sparse_weight)) for fold in held_out])
    scale = Scale.of(views)
    threshold = float(np.quantile(scale.familiarity(views), 1 - KEPT_SHARE))
    return surprise, Calibration(sparse_weight, sharpness, scale, threshold)


def _surprise(fused: Array, classes: Array, sharpness: float) -> float:
    probabilities = softmax(fused * sharpness)[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(probabilities, 1e-9)).mean())


def _with_foreign(
    calibration: Calibration,
    fitted: Sequence[Parts],
    held_out: Sequence[_Examples],
    foreign: Sequence[str],
    encoder: Encoder,
) -> Calibration:
    """The threshold at which the worse of two shares is best: examples understood rightly, foreign texts left alone."""
    foreign_vectors = encoder.encode(foreign)

    def judged(parts: Parts, texts: Sequence[str], vectors: Array) -> tuple[Array, Array]:
        scores = parts.scores(texts, vectors)
        fused = scores.fused(calibration.sparse_weight)
        return fused.argmax(axis=1), calibration.scale.familiarity(scores.views(parts.landscape, fused))

    own, others = [], []
    for parts, examples in zip(fitted, held_out, strict=True):
        found, familiarity = judged(parts, examples.texts, examples.vectors)
        own.append(np.where(found == examples.classes, familiarity, -np.inf))  # what is misunderstood counts as lost
        others.append(judged(parts, foreign, foreign_vectors)[1])
    return replace(calibration, threshold=_between(np.concatenate(own), np.concatenate(others)))


def _between(own: Array, others: Array) -> float:
    """The middle of the thresholds at which the worse share, of own above and others below, is best."""
    candidates = np.unique(np.concatenate([own[np.isfinite(own)], others]))
    above = 1 - np.searchsorted(np.sort(own), candidates) / len(own)
    below = np.searchsorted(np.sort(others), candidates) / len(others)
    worse = np.minimum(above, below)
    return float(candidates[worse == worse.max()].mean())


# -- fitting ------------------------------------------------------------------------------------------------


def _fit(examples: _Examples, earlier_layers: float) -> Parts:
    """Fit every part to the examples and, but for the landscape, to the intents' names."""
    scales = _block_scales(examples.vectors.shape[1], earlier_layers)
    vectors = examples.vectors * scales
    centre = vectors.mean(axis=0)
    vectors = vectors - centre
    classes = np.concatenate([examples.classes, np.arange(examples.count)])
    texts = [*examples.texts, *examples.names]
    ngrams = Ngrams.learn(texts)
    return Parts(
        block_scales=scales,
        centre=centre,
        dense=fit_logistic(np.vstack([vectors, examples.name_vectors * scales - centre]), classes, examples.count),
        ngrams=ngrams,
        sparse=fit_margins(ngrams.matrix(texts), classes, examples.count),
        landscape=Landscape.of(vectors, examples.vectors[:, :MEANING], examples.classes, examples.count),
    )


def _block_scales(width: int, earlier_layers: float) -> Array:
    """The last layer counts one, those before it `earlier_layers` each; the whole vector keeps about length one."""
    blocks = np.full(width // MEANING, earlier_layers, np.float32)
    blocks[0] = 1.0
    return np.repeat(blocks / np.linalg.norm(blocks), MEANING)
