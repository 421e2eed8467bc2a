"""Intents as values: what people write into `prompts/intents/`, once it is read and found right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import ConfigurationError
from bot.texts import Texts

SLOT_KINDS = ("text", "number", "amount", "date", "time", "duration", "recurrence", "person", "place")

AnyLanguage = ""
"""The key of what is said in every language that has no words of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of an example that fills a slot."""

    slot: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Example:
    """What somebody might say."""

    text: str
    marks: tuple[Mark, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that the intent needs, or can use."""

    name: str
    kind: str
    """One of SLOT_KINDS, or `choice`."""
    choices: tuple[str, ...] = ()
    is_optional: bool = False
    questions: Mapping[str, str] = field(default_factory=dict)
    """What to ask where it is missing, by language."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that people ask for."""

    name: str
    description: str
    examples: tuple[Example, ...]
    slots: tuple[Slot, ...]
    answers: Mapping[str, tuple[str, ...]]
    """Texts by language, one of which is said; empty where a skill acts."""
    skill: str
    place: Place


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in a file that is not right: the key of a text, its values, and where it stands."""

    place: Place
    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def told(self, texts: Texts) -> str:
        """File, line and sentence."""
        return f"{self.place}: {texts.get(self.key, **self.values)}"


class IntentMistakes(ConfigurationError):
    """Everything that is wrong in the files of intents."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("intents.mistakes", count=len(mistakes))
        self.mistakes = tuple(mistakes)

    def told(self, texts: Texts) -> str:
        """A sentence, and one line for every mistake."""
        return "\n".join([super().told(texts), *(mistake.told(texts) for mistake in self.mistakes)])
