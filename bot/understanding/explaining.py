"""Says why a text is understood as it is: the runner-up, the nearest examples, and the words that counted most."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.understanding.classifier import Classifier, Encoder, Verdict
from bot.understanding.ngrams import WORDS

MOST_WORDS = 3
LONGEST = 40
"""Words of a text that are left out one by one; of longer ones, only the first."""
NOTICEABLE = 0.3
"""By how much the log-odds of the intent must fall; of what is nearly certain, the probability hardly does."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict and its reasons."""

    text: str
    verdict: Verdict
    words: tuple[str, ...]
    """Those without which the intent would be much less likely."""
    nearest: tuple[tuple[str, float], ...]
    """Examples of the likeliest intents, and how like they are."""

    def as_data(self) -> dict[str, object]:
        """The explanation as JSON takes it."""
        return {
            "text": self.text,
            "intent": self.verdict.intent,
            "confidence": round(self.verdict.confidence, 4),
            "is_familiar": self.verdict.is_familiar,
            "familiarity": round(self.verdict.familiarity, 4),
            "alternatives": [[name, round(share, 4)] for name, share in self.verdict.ranking[1:4]],
            "words": list(self.words),
            "nearest": [[example, round(likeness, 4)] for example, likeness in self.nearest],
        }


def explain(text: str, classifier: Classifier, encoder: Encoder) -> Explanation:
    """Judge a text and say why."""
    [verdict] = classifier.judge([text], encoder)
    nearest = classifier.nearest_examples(text, encoder)
    return Explanation(text, verdict, _telling_words(text, verdict, classifier, encoder), tuple(nearest))


def _telling_words(text: str, verdict: Verdict, classifier: Classifier, encoder: Encoder) -> tuple[str, ...]:
    """What is missed most when it is left out; of several words only."""
    spans = list(WORDS.finditer(text))[:LONGEST]
    if len(spans) < 2:
        return ()
    without = [text[: span.start()] + text[span.end() :] for span in spans]
    falls = [
        (_log_odds(verdict.confidence) - _log_odds(dict(other.ranking)[verdict.intent]), span[0])
        for other, span in zip(classifier.judge(without, encoder), spans, strict=True)
    ]
    falls.sort(key=lambda pair: -pair[0])
    return tuple(word for fall, word in falls[:MOST_WORDS] if fall >= NOTICEABLE)


def _log_odds(share: float) -> float:
    kept = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))
