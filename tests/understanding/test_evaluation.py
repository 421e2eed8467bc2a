"""The figures that an evaluation tells."""

from __future__ import annotations

import numpy as np
import pytest

from bot.understanding.encoder import SentenceEncoder
from bot.understanding.evaluation import auroc, evaluate, macro_f1
from bot.understanding.training import Labelled
from tests.understanding.examples import ASKED, EXAMPLES, FOREIGN, labelled


def test_macro_f1_is_the_mean_over_labels() -> None:
    # a: precision 2/3, recall 1; b: precision 1, recall 1/2; c is never found
    assert macro_f1(["a", "a", "a", "b"], ["a", "a", "b", "b"]) == pytest.approx((0.8 + 2 / 3) / 2)
    assert macro_f1(["a"], ["c"]) == 0


def test_auroc_is_the_chance_of_being_above() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert auroc(np.array([0.0, 3.0]), np.array([1.0, 2.0])) == 0.5
    assert auroc(np.array([1.0]), np.array([1.0])) == 0.5


def test_an_evaluation_measures_what_is_right_foreign_and_fast(encoder: SentenceEncoder) -> None:
    test = Labelled(tuple(ASKED), tuple(ASKED.values()))
    found = evaluate(labelled(EXAMPLES), test, encoder, foreign_test=FOREIGN)
    assert found.accuracy == found.macro_f1 == 1
    assert found.auroc is not None
    assert found.auroc > 0.9
    assert found.in_scope_accuracy <= found.accuracy
    assert found.p50_ms <= found.p95_ms
    assert min(found.per_second, found.train_cpu_s, found.train_wall_s) > 0


def test_without_foreign_texts_nothing_is_said_of_them(encoder: SentenceEncoder) -> None:
    test = Labelled(tuple(ASKED), tuple(ASKED.values()))
    found = evaluate(labelled(EXAMPLES), test, encoder)
    assert found.auroc is found.fpr95 is found.oos_recall is None
