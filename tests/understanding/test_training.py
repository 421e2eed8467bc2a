"""Training: what is understood afterwards, what is left alone, and what bad examples lead to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bot.understanding.classifier import Classifier
from bot.understanding.encoder import SentenceEncoder
from bot.understanding.heads import Array
from bot.understanding.training import Labelled, spoken, train
from tests.understanding.examples import ASKED, EXAMPLES, FOREIGN, labelled


@pytest.mark.parametrize("text", ASKED)
def test_what_was_never_seen_is_understood_in_both_languages(
    classifier: Classifier, encoder: SentenceEncoder, text: str
) -> None:
    [verdict] = classifier.judge([text], encoder)
    assert verdict.intent == ASKED[text]


def test_most_of_what_is_for_an_intent_looks_familiar_and_most_else_does_not(
    classifier: Classifier, encoder: SentenceEncoder
) -> None:
    own = [verdict.is_familiar for verdict in classifier.judge(list(ASKED), encoder)]
    foreign = [verdict.is_familiar for verdict in classifier.judge(FOREIGN, encoder)]
    assert sum(own) >= 9
    assert sum(foreign) <= 1


def test_probabilities_are_ranked_and_add_up_to_one(classifier: Classifier, encoder: SentenceEncoder) -> None:
    [verdict] = classifier.judge(["are you open tomorrow"], encoder)
    shares = [share for _, share in verdict.ranking]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert {intent for intent, _ in verdict.ranking} == set(EXAMPLES)


def test_the_nearest_examples_are_like_the_text(classifier: Classifier, encoder: SentenceEncoder) -> None:
    [(nearest, likeness), *_] = classifier.nearest_examples("when do you open", encoder)
    assert nearest == "when do you open"
    assert likeness > 0.95


def test_many_at_once_are_judged_as_each_alone(classifier: Classifier, encoder: SentenceEncoder) -> None:
    texts = list(ASKED)
    together = [verdict.intent for verdict in classifier.judge(texts, encoder)]
    assert together == [classifier.judge([text], encoder)[0].intent for text in texts]


def test_the_same_examples_and_seed_give_the_same_classifier(encoder: SentenceEncoder) -> None:
    first, second = (train(labelled(EXAMPLES), encoder, seed=3) for _ in range(2))
    assert first.calibration.threshold == second.calibration.threshold
    assert np.array_equal(first.parts.meaning.weights, second.parts.meaning.weights)
    assert np.array_equal(first.parts.wording.weights, second.parts.wording.weights)


def test_foreign_texts_settle_the_threshold_and_nothing_else(classifier: Classifier, encoder: SentenceEncoder) -> None:
    informed = train(labelled(EXAMPLES), encoder, foreign=FOREIGN)
    assert np.array_equal(informed.parts.meaning.weights, classifier.parts.meaning.weights)
    assert informed.calibration.fusion == classifier.calibration.fusion
    assert informed.calibration.threshold != classifier.calibration.threshold
    assert sum(verdict.is_familiar for verdict in informed.judge(list(ASKED), encoder)) >= 8
    assert sum(verdict.is_familiar for verdict in informed.judge(FOREIGN, encoder)) <= 2


def test_development_texts_that_stand_among_the_examples_are_not_trained_on_when_choosing(
    encoder: SentenceEncoder,
) -> None:
    dev = Labelled(tuple(texts[0].upper() for texts in EXAMPLES.values()) * 3, tuple(EXAMPLES) * 3)
    chosen = train(labelled(EXAMPLES), encoder, dev=dev)
    [verdict] = chosen.judge(["when do you open"], encoder)
    assert verdict.intent == "opening_hours"
    assert verdict.familiarity > 0.3  # seen in training, while what the scale was taken from was not


# -- bad examples and bad texts -----------------------------------------------------------------------------


def test_one_example_an_intent_is_enough_to_begin(encoder: SentenceEncoder) -> None:
    small = train(labelled({intent: texts[:1] for intent, texts in EXAMPLES.items()}), encoder)
    assert small.judge(["when do you open today"], encoder)[0].intent == "opening_hours"


@pytest.mark.parametrize("count", [1, 2, 12])
def test_one_intent_in_all_takes_what_is_like_it(encoder: SentenceEncoder, count: int) -> None:
    single = train(labelled({"opening_hours": EXAMPLES["opening_hours"][:count]}), encoder)
    [like, unlike] = single.judge(["when do you open", FOREIGN[0]], encoder)
    assert like.ranking == (("opening_hours", 1.0),)
    assert like.familiarity > unlike.familiarity


def test_an_example_in_two_intents_is_for_either(encoder: SentenceEncoder) -> None:
    both = {**EXAMPLES, "visit": ["when do you open", "i want to visit you", "can i come and see the shop"]}
    [verdict] = train(labelled(both), encoder).judge(["when do you open"], encoder)
    assert {intent for intent, _ in verdict.ranking[:2]} == {"opening_hours", "visit"}


class FakeEncoder:
    """Vectors drawn by chance, and near each other where texts begin with the same word."""

    def rarity(self, sentences: Sequence[str]) -> Array:
        return np.ones(1, np.float32)

    def encode(self, sentences: Sequence[str], *, rarity: Array | None = None, workers: int = 1) -> Array:
        random = np.random.default_rng(0)
        places: dict[str, Array] = {}
        vectors = random.normal(0, 0.3, (len(sentences), 768)).astype(np.float32)
        for row, sentence in enumerate(sentences):
            word = sentence.split()[0] if sentence.split() else ""
            if word not in places:
                places[word] = np.random.default_rng(sum(map(ord, word))).normal(size=768).astype(np.float32)
            vectors[row] += places[word]
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_ten_thousand_examples_are_learned() -> None:
    words = ["open", "order", "return", "alarm", "music"]
    many = {word: [f"{word} number {number} of the list" for number in range(2000)] for word in words}
    verdicts = train(labelled(many), FakeEncoder()).judge([f"{word} number 5001" for word in words], FakeEncoder())
    assert [verdict.intent for verdict in verdicts] == words


@pytest.mark.parametrize("text", ["", "   ", "😀🎉👍", "…", "好" * 50_000, "open " * 10_000], ids=lambda text: text[:4])
def test_any_text_gets_a_verdict(classifier: Classifier, encoder: SentenceEncoder, text: str) -> None:
    [verdict] = classifier.judge([text], encoder)
    assert np.isfinite(verdict.familiarity)
    assert 0 <= verdict.confidence <= 1


@pytest.mark.parametrize("text", ["", "   ", "😀🎉👍", "…"])
def test_a_text_without_letters_is_for_no_intent(classifier: Classifier, encoder: SentenceEncoder, text: str) -> None:
    [verdict] = classifier.judge([text], encoder)
    assert not verdict.is_familiar


def test_a_mixed_text_is_understood(classifier: Classifier, encoder: SentenceEncoder) -> None:
    assert classifier.judge(["请问 are you open 周日"], encoder)[0].intent == "opening_hours"


@pytest.mark.parametrize(
    ("name", "words"),
    [("reminder.create", "reminder create"), ("BookRestaurant", "book restaurant"), ("weather/find", "weather find")],
)
def test_a_name_is_read_as_words(name: str, words: str) -> None:
    assert spoken(name) == words
