"""Trains a classifier of intents, and chooses everything that is to choose on examples held out of training.

Seconds of one core: encoding takes most of it. No foreign example is needed, though a few may settle the threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.understanding.classifier import Calibration, Classifier, Encoder, Fusion, Meaning, Parts, Wording
from bot.understanding.heads import WIDTH, Array, fit_logistic, fit_margins, softmax
from bot.understanding.ngrams import Ngrams
from bot.understanding.scope import Landscape, Scale

EARLIER_LAYERS = (0.3, 1.0)
"""How much the layers before the last may count."""
WEIGHTS = {True: (0.1, 0.2, 0.35, 0.6, 1.0, 2.0, 4.0), False: (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)}
"""What wording may weigh, of standardised scores and of others."""
SHARPNESSES = tuple(map(float, np.geomspace(0.1, 8, 23)))
FOLDS = 5
ONE_FOLD_FROM = 3000
"""Examples from which one fold, held out once, is enough."""
ENOUGH_HELD_OUT = 10
KEPT_SHARE = 0.95
"""Of held-out examples, how many look familiar enough, where no foreign ones are given."""
UNTESTED = Calibration(Fusion(0.2, True, 2.0), Scale(), -np.inf)
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

    @property
    def classes_and_names(self) -> Array:
        return np.concatenate([self.classes, np.arange(self.count)])


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
    rarity = encoder.rarity(examples.texts)
    known = _encoded(examples, intents, encoder, rarity, workers)
    asked = None
    if dev is not None:
        usable = [row for row, label in enumerate(dev.labels) if label in numbers]
        dev = Labelled(tuple(dev.texts[row] for row in usable), tuple(dev.labels[row] for row in usable))
        asked = _encoded(dev, intents, encoder, rarity, workers)
    foreign_vectors = encoder.encode(foreign, rarity=rarity, workers=workers)
    parts, calibration = _chosen(known, asked, foreign, foreign_vectors, seed)
    return Classifier(intents, examples.texts, rarity, parts, calibration)


def held_out_intents(examples: Labelled, encoder: Encoder, *, seed: int = 0, workers: int = 1) -> list[str | None]:
    """What each example is taken for when it is held out of training; None for the only one of its intent."""
    intents = tuple(sorted(set(examples.labels)))
    known = _encoded(examples, intents, encoder, encoder.rarity(examples.texts), workers)
    folds = _fold_numbers(known, seed)
    places = [np.flatnonzero(folds == fold) for fold in range(FOLDS) if (folds == fold).any()]
    guesses: list[str | None] = [None] * len(examples)
    if not places:
        return guesses
    splits = [_Split.fitted(known[np.setdiff1d(np.arange(len(known)), rows)], known[rows]) for rows in places]
    choice = _best_choice(splits)
    for rows, split, meaning in zip(places, splits, choice.meanings, strict=True):
        held_out = split.held_out
        scores = meaning.scores(held_out.vectors), split.wording.scores(held_out.texts)
        for row, number in zip(rows, choice.fusion.of(*scores).argmax(axis=1), strict=True):
            guesses[row] = intents[number]
    return guesses


def spoken(name: str) -> str:
    """An intent's name as words: `reminder.create` and `ReminderCreate` are "reminder create"."""
    return re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).strip().lower()


def _encoded(labelled: Labelled, intents: Sequence[str], encoder: Encoder, rarity: Array, workers: int) -> _Examples:
    numbers = {intent: number for number, intent in enumerate(intents)}
    names = [spoken(intent) for intent in intents]
    vectors = encoder.encode([*labelled.texts, *names], rarity=rarity, workers=workers)
    classes = np.array([numbers[label] for label in labelled.labels], np.int64)
    return _Examples(labelled.texts, classes, vectors[: len(labelled)], names, vectors[len(labelled) :])


# -- choosing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Split:
    """Examples that were held out, and what was fitted to the rest."""

    rest: _Examples
    held_out: _Examples
    wording: Wording
    landscape: Landscape

    @classmethod
    def fitted(cls, rest: _Examples, held_out: _Examples) -> _Split:
        return cls(rest, held_out, _fit_wording(rest), _fit_landscape(rest))

    def parts(self, meaning: Meaning) -> Parts:
        return Parts(meaning, self.wording, self.landscape)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What was tried, and how much it was surprised by what was held out (mean negative log-likelihood)."""

    surprise: float
    earlier_layers: float
    fusion: Fusion
    meanings: tuple[Meaning, ...]
    """Fitted to each split's rest."""


def _chosen(
    known: _Examples, dev: _Examples | None, foreign: Sequence[str], foreign_vectors: Array, seed: int
) -> tuple[Parts, Calibration]:
    pairs = [_without(known, dev)] if dev is not None and len(dev) else list(_folds(known, seed))
    if sum(len(held_out) for _, held_out in pairs) < ENOUGH_HELD_OUT:
        return _fit(known, EARLIER_LAYERS[0]), UNTESTED
    splits = [_Split.fitted(rest, held_out) for rest, held_out in pairs]
    choice = _best_choice(splits)
    calibration = _calibrated(splits, choice, foreign, foreign_vectors)
    if len(splits) == 1 and len(splits[0].rest) == len(known):
        return splits[0].parts(choice.meanings[0]), calibration
    return _fit(known, choice.earlier_layers), calibration


def _best_choice(splits: Sequence[_Split]) -> _Choice:
    return min((_best_fusion(splits, layers) for layers in EARLIER_LAYERS), key=lambda choice: choice.surprise)


def _best_fusion(splits: Sequence[_Split], earlier_layers: float) -> _Choice:
    meanings = tuple(_fit_meaning(split.rest, earlier_layers) for split in splits)
    classes = np.concatenate([split.held_out.classes for split in splits])
    from_meaning = np.vstack(
        [meaning.scores(split.held_out.vectors) for meaning, split in zip(meanings, splits, strict=True)]
    )
    from_wording = np.vstack([split.wording.scores(split.held_out.texts) for split in splits])
    surprise, weight, is_standardized, sharpness = min(
        (_surprise(fused * sharpness, classes), weight, is_standardized, sharpness)
        for is_standardized, weights in WEIGHTS.items()
        for weight in weights
        for fused in [Fusion(weight, is_standardized).of(from_meaning, from_wording)]
        for sharpness in SHARPNESSES
    )
    return _Choice(surprise, earlier_layers, Fusion(weight, is_standardized, sharpness), meanings)


def _surprise(fused: Array, classes: Array) -> float:
    probabilities = softmax(fused)[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(probabilities, 1e-9)).mean())


def _calibrated(
    splits: Sequence[_Split], choice: _Choice, foreign: Sequence[str], foreign_vectors: Array
) -> Calibration:
    """The scale of familiarity, and the threshold."""
    fitted = [split.parts(meaning) for split, meaning in zip(splits, choice.meanings, strict=True)]
    untold = Calibration(choice.fusion, Scale(), -np.inf)

    def views(texts: Sequence[str], vectors: Array, parts: Parts) -> tuple[Array, Array]:
        meaning, wording = parts.meaning.scores(vectors), parts.wording.scores(texts)
        fused = choice.fusion.of(meaning, wording)
        ranked = np.argsort(-fused, axis=1)
        return ranked[:, 0], parts.landscape.views(vectors, meaning, wording, ranked)

    judged = [
        views(split.held_out.texts, split.held_out.vectors, parts) for split, parts in zip(splits, fitted, strict=True)
    ]
    scale = Scale.of(np.vstack([seen for _, seen in judged]))
    own = scale.familiarity(np.vstack([seen for _, seen in judged]))
    if not foreign:
        return replace(untold, scale=scale, threshold=float(np.quantile(own, 1 - KEPT_SHARE)))
    right = np.concatenate([found == split.held_out.classes for (found, _), split in zip(judged, splits, strict=True)])
    others = np.concatenate([scale.familiarity(views(foreign, foreign_vectors, parts)[1]) for parts in fitted])
    # what is misunderstood is lost, whatever the threshold
    return replace(untold, scale=scale, threshold=_between(np.where(right, own, -np.inf), others))


def _between(own: Array, others: Array) -> float:
    """The middle of the thresholds at which the worse share, of own above and of others below, is best."""
    candidates = np.unique(np.concatenate([own[np.isfinite(own)], others]))
    above = 1 - np.searchsorted(np.sort(own), candidates) / len(own)
    below = np.searchsorted(np.sort(others), candidates) / len(others)
    worse = np.minimum(above, below)
    return float(candidates[worse == worse.max()].mean())


# -- holding out --------------------------------------------------------------------------------------------


def _without(known: _Examples, dev: _Examples) -> tuple[_Examples, _Examples]:
    """What is known but for texts that stand in `dev`, too; and `dev`."""
    held_out = {_plain(text) for text in dev.texts}
    rows = [row for row, text in enumerate(known.texts) if _plain(text) not in held_out]
    return (known if len(rows) == len(known) else known[np.array(rows, np.int64)]), dev


def _plain(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())


def _folds(known: _Examples, seed: int) -> Iterator[tuple[_Examples, _Examples]]:
    """Splits in which every intent keeps an example."""
    folds = _fold_numbers(known, seed)
    for fold in range(FOLDS if len(known) < ONE_FOLD_FROM else 1):
        if (folds == fold).any():
            yield known[np.flatnonzero(folds != fold)], known[np.flatnonzero(folds == fold)]


def _fold_numbers(known: _Examples, seed: int) -> Array:
    """In which fold each example is held out; -1 for one that is the only one of its intent."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(known))
    folds = np.full(len(known), -1)
    for number in range(known.count):
        rows = order[known.classes[order] == number]
        if len(rows) > 1:
            folds[rows] = (np.arange(len(rows)) + random.integers(FOLDS)) % FOLDS
    return folds


# -- fitting ------------------------------------------------------------------------------------------------


def _fit(examples: _Examples, earlier_layers: float) -> Parts:
    return Parts(_fit_meaning(examples, earlier_layers), _fit_wording(examples), _fit_landscape(examples))


def _fit_meaning(examples: _Examples, earlier_layers: float) -> Meaning:
    """The last layer counts one, those before it `earlier_layers` each; the whole keeps about length one."""
    blocks = np.full(examples.vectors.shape[1] // WIDTH, earlier_layers, np.float32)
    blocks[0] = 1.0
    scales = np.repeat(blocks / np.linalg.norm(blocks), WIDTH)
    centre = (examples.vectors * scales).mean(axis=0)
    vectors = np.vstack([examples.vectors, examples.name_vectors]) * scales - centre
    return Meaning(scales, centre, fit_logistic(vectors, examples.classes_and_names, examples.count))


def _fit_wording(examples: _Examples) -> Wording:
    texts = [*examples.texts, *examples.names]
    ngrams = Ngrams.learn(texts)
    return Wording(ngrams, fit_margins(ngrams.matrix(texts), examples.classes_and_names, examples.count))


def _fit_landscape(examples: _Examples) -> Landscape:
    return Landscape.of(examples.vectors, examples.classes, examples.count)
