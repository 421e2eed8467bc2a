"""Kept classifiers: found again for the same examples, and not for others."""

from __future__ import annotations

from pathlib import Path

from bot.understanding.classifier import Classifier
from bot.understanding.encoder import SentenceEncoder
from bot.understanding.keeping import KEPT, content_key, keep_classifier, load_classifier
from bot.understanding.training import Labelled
from tests.understanding.examples import ASKED, EXAMPLES, labelled


def test_a_kept_classifier_judges_as_before(classifier: Classifier, encoder: SentenceEncoder, tmp_path: Path) -> None:
    keep_classifier(tmp_path, labelled(EXAMPLES), classifier)
    found = load_classifier(tmp_path, labelled(EXAMPLES))
    assert found is not None
    assert found.judge(list(ASKED), encoder) == classifier.judge(list(ASKED), encoder)
    assert found.examples == classifier.examples


def test_the_order_of_examples_makes_no_difference_and_every_example_does() -> None:
    examples = labelled(EXAMPLES)
    turned = Labelled(examples.texts[::-1], examples.labels[::-1])
    more = Labelled((*examples.texts, "open?"), (*examples.labels, "opening_hours"))
    assert content_key(turned) == content_key(examples) != content_key(more)


def test_what_cannot_be_read_is_trained_again(classifier: Classifier, tmp_path: Path) -> None:
    keep_classifier(tmp_path, labelled(EXAMPLES), classifier)
    [file] = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:1000])
    assert load_classifier(tmp_path, labelled(EXAMPLES)) is None


def test_old_classifiers_make_room(classifier: Classifier, tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        keep_classifier(tmp_path, Labelled((str(number),), ("number",)), classifier)
    assert len(list(tmp_path.glob("*.npz"))) == KEPT
