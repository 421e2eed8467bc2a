"""What a rule of the grammar is: a regular expression over the signs of tokens, and what builds its meaning.

The signs are those of `lexicon.SIGNS` and, for what stands in figures, those of `scanning`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.understanding.slots.calendar import Clock, Day, Moment
from bot.understanding.slots.repeating import Repeat
from bot.understanding.slots.scanning import Token
from bot.understanding.slots.values import Duration

Tokens = Sequence[Token]


@dataclass(frozen=True, slots=True)
class Shift:
    """So long from now; or, where `is_open`, from the day that is said next."""

    duration: Duration
    sign: int = 1
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class DayPart:
    """A part of a day, such as the evening."""

    name: str
    stands_alone: bool = False
    """Whether it was said as "in the evening"."""


@dataclass(frozen=True, slots=True)
class Times:
    """How often."""

    count: int


Meaning = Clock | Day | Shift | DayPart | Duration | Repeat | Times
Build = Callable[[str, Tokens, Moment], Meaning | None]
"""Given the signs, the tokens and the moment; None where they mean nothing after all."""
Rule = tuple[str, Build]
