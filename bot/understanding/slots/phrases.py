"""Finds phrases of time in a text, by the rules of `times`, `days` and `recurring`: the longest match first.

A phrase is a part: a day, a time, a duration, a repetition … `grouping` puts neighbouring parts together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.understanding.slots import days, recurring, times
from bot.understanding.slots.calendar import Moment
from bot.understanding.slots.rules import Meaning, Tokens

_RULES = tuple((re.compile(pattern), build) for pattern, build in (*times.RULES, *days.RULES, *recurring.RULES))
_NEVER_FIRST = frozenset(".|,CVZfBN")


@dataclass(frozen=True, slots=True)
class Part:
    """A phrase that was found: which tokens it takes up, and what it means."""

    first: int
    last: int
    meaning: Meaning


def parts_of(tokens: Tokens, moment: Moment) -> list[Part]:
    """The phrases of a text, in order."""
    signs = "".join(token.sign for token in tokens)
    found: list[Part] = []
    place = 0
    while place < len(signs):
        part = _longest(signs, tokens, place, moment) if signs[place] not in _NEVER_FIRST else None
        if part:
            found.append(part)
            place = part.last + 1
        else:
            place += 1
    return found


def _longest(signs: str, tokens: Tokens, place: int, moment: Moment) -> Part | None:
    """The meaning of the most tokens that begin there; of equally many, by the first rule."""
    matches = [
        (match.end(), -index, build)
        for index, (pattern, build) in enumerate(_RULES)
        if (match := pattern.match(signs, place))
    ]
    for end, _, build in sorted(matches, key=lambda match: match[:2], reverse=True):
        if (meaning := build(signs[place:end], tokens[place:end], moment)) is not None:
            return Part(place, end - 1, meaning)
    return None
