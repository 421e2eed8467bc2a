"""Measures a classifier of intents: how often it is right, how well it tells what is foreign, how fast it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bot.understanding.classifier import Classifier, Encoder
from bot.understanding.heads import Array
from bot.understanding.training import Labelled, train

TIMED = 500
"""Texts that are classified one by one to time it."""
BATCH = 32
WORKERS = 2
IN_SCOPE_KEPT = 0.95


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured. Shares, not percent; figures of out of scope are None where no foreign texts were given."""

    accuracy: float
    macro_f1: float
    # cost
    train_wall_s: float
    train_cpu_s: float
    p50_ms: float
    p95_ms: float
    per_second: float
    """In batches of 32, with two workers side by side."""
    # threshold and what it does
    threshold: float
    in_scope_accuracy: float
    """Understood rightly and not taken for foreign, of all that is for an intent."""
    oos_recall: float | None
    auroc: float | None
    fpr95: float | None
    """Foreign texts that are let in where 95 % of the others are."""
    # what was measured on
    intents: int
    train_examples: int
    test_examples: int


def evaluate(
    examples: Labelled,
    test: Labelled,
    encoder: Encoder,
    *,
    # what is chosen on
    dev: Labelled | None = None,
    foreign_dev: Sequence[str] = (),
    # what is measured on
    foreign_test: Sequence[str] = (),
    seed: int = 0,
) -> Evaluation:
    """Train on `examples` and measure on `test`; see `bot.understanding.training.train` for the rest."""
    wall, processor = time.perf_counter(), time.process_time()
    classifier = train(examples, encoder, dev=dev, foreign=foreign_dev, seed=seed, workers=available_cores())
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    found, own = judged(classifier, encoder, test.texts)
    right = np.array([intent == label for intent, label in zip(found, test.labels, strict=True)])
    threshold = classifier.calibration.threshold
    others = judged(classifier, encoder, foreign_test)[1] if foreign_test else None
    latencies = _latencies(classifier, encoder, test.texts[:TIMED])
    return Evaluation(
        accuracy=float(right.mean()),
        macro_f1=macro_f1(found, test.labels),
        train_wall_s=wall,
        train_cpu_s=processor,
        p50_ms=float(np.percentile(latencies, 50)) * 1000,
        p95_ms=float(np.percentile(latencies, 95)) * 1000,
        per_second=_per_second(classifier, encoder, test.texts),
        threshold=threshold,
        in_scope_accuracy=float((right & (own >= threshold)).mean()),
        oos_recall=None if others is None else float((others < threshold).mean()),
        auroc=None if others is None else auroc(own, others),
        fpr95=None if others is None else float((others >= np.quantile(own, 1 - IN_SCOPE_KEPT)).mean()),
        intents=len(classifier.intents),
        train_examples=len(examples),
        test_examples=len(test),
    )


def judged(classifier: Classifier, encoder: Encoder, texts: Sequence[str]) -> tuple[list[str], Array]:
    """The likeliest intent of each text, and how familiar it looks."""
    probabilities, familiarity = classifier.weigh(texts, classifier.encode(texts, encoder, workers=available_cores()))
    return [classifier.intents[number] for number in probabilities.argmax(axis=1)], familiarity


def macro_f1(found: Sequence[str], labels: Sequence[str]) -> float:
    """The mean over the labels of the harmonic mean of precision and recall."""
    scores = []
    for label in sorted(set(labels)):
        right = sum(a == b == label for a, b in zip(found, labels, strict=True))
        scores.append(2 * right / (found.count(label) + labels.count(label)) if right else 0.0)
    return float(np.mean(scores))


def auroc(own: Array, others: Array) -> float:
    """The chance that one of the own scores is above one of the others; half where they are equal."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, own, "left")
    not_above = np.searchsorted(ordered, own, "right")
    return float(((below + not_above) / 2).mean() / len(others))


def available_cores() -> int:
    """Cores that this process may use, two at most."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(WORKERS, usable)


def _latencies(classifier: Classifier, encoder: Encoder, texts: Sequence[str]) -> list[float]:
    judge: Callable[[str], object] = lambda text: classifier.judge([text], encoder)  # noqa: E731 - timed as one call
    judge(texts[0])
    seconds = []
    for text in texts:
        start = time.perf_counter()
        judge(text)
        seconds.append(time.perf_counter() - start)
    return seconds


def _per_second(classifier: Classifier, encoder: Encoder, texts: Sequence[str]) -> float:
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda batch: classifier.judge(batch, encoder), batches))
    return len(texts) / (time.perf_counter() - start)
