"""Finds the examples that are taken for another intent when they are held out, so that people can mend them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.understanding.classifier import Encoder
from bot.understanding.training import Labelled, held_out_intents


@dataclass(frozen=True, slots=True)
class Confusion:
    """Examples of one intent that are taken for another."""

    intent: str
    taken_for: str
    examples: tuple[str, ...]

    def as_data(self) -> dict[str, object]:
        """The confusion as JSON takes it."""
        return {"intent": self.intent, "taken_for": self.taken_for, "examples": list(self.examples)}


def find_confusions(examples: Labelled, encoder: Encoder, *, workers: int = 1) -> list[Confusion]:
    """The confusions, those with most examples first."""
    found: dict[tuple[str, str], list[str]] = {}
    guesses = held_out_intents(examples, encoder, workers=workers)
    for text, label, guess in zip(examples.texts, examples.labels, guesses, strict=True):
        if guess not in (label, None):
            found.setdefault((label, str(guess)), []).append(text)
    confusions = [Confusion(label, guess, tuple(texts)) for (label, guess), texts in found.items()]
    return sorted(confusions, key=lambda confusion: (-len(confusion.examples), confusion.intent, confusion.taken_for))
