"""People, places and lists to choose from: by names that are given, and by how a name is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from zoneinfo import available_timezones

from bot.understanding.slots.lexicon import distance, lexicon
from bot.understanding.slots.scanning import LONGEST_TEXT, normalised
from bot.understanding.slots.values import SlotKind, Value

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_MENTION = re.compile(r"(?<![A-Za-z0-9_@.])@\w+")
SHORTEST_MISSPELT = 5
MOST_WORDS = 3


def people_of(text: str, known: Sequence[str]) -> list[Value]:
    """Mentions, names that are known, and the one who speaks."""
    found = [Value(SlotKind.PERSON, match[0], *match.span(), match[0]) for match in _MENTION.finditer(text)]
    found += matches(text, dict.fromkeys(known, ()), SlotKind.PERSON)
    if not found:
        found += matches(text, {"me": tuple(lexicon().me)}, SlotKind.PERSON)
    return sorted(found, key=lambda value: value.start)


def places_of(text: str, known: Sequence[str]) -> list[Value]:
    """Places that are known, the cities of time zones, and what is written with capitals after "in" and the like."""
    names: dict[str, Sequence[str]] = dict.fromkeys(known, ())
    for place, others in _other_names(lexicon().places).items():
        names.setdefault(place, others)
    found = matches(text, names, SlotKind.PLACE, misspelt=False)
    found += _cities(text)
    found = found or _written_large(text)
    return sorted(_apart(found), key=lambda value: value.start)


def _other_names(places: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text, place in places.items():
        found[place] = (*found.get(place, ()), text)
    return found


@lru_cache(maxsize=1)
def cities() -> Mapping[str, str]:
    """The cities that time zones are called after, by their names in lower case."""
    names = (zone.rpartition("/")[2].replace("_", " ") for zone in available_timezones() if "/" in zone)
    return {name.lower(): name for name in names if name[0].isupper() and name.isascii() and len(name) > 3}


def _cities(text: str) -> list[Value]:
    lower = text[:LONGEST_TEXT].lower()
    words = list(_WORD.finditer(lower))
    found = []
    for index, word in enumerate(words):
        for last in reversed(words[index : index + MOST_WORDS]):
            if name := cities().get(lower[word.start() : last.end()]):
                start, end = word.start(), last.end()
                found.append(Value(SlotKind.PLACE, name, start, end, text[start:end]))
                break
    return found


def _written_large(text: str) -> list[Value]:
    before = "|".join(word for word in sorted(lexicon().before_place) if word.isascii())
    pattern = rf"\b(?:{before})\s+(?:the\s+)?((?:[A-Z][\w'’-]*)(?:\s+(?:of\s+|the\s+)*[A-Z][\w'’-]*)*)"
    return [Value(SlotKind.PLACE, match[1], *match.span(1), match[1]) for match in re.finditer(pattern, text)]


def choices_of(text: str, choices: Mapping[str, Sequence[str]]) -> list[Value]:
    """What is chosen, by its name or another word for it."""
    return matches(text, choices, SlotKind.CHOICE)


def matches(text: str, names: Mapping[str, Sequence[str]], kind: SlotKind, *, misspelt: bool = True) -> list[Value]:
    """Where the names or their other words stand in the text; of words that overlap, the longest."""
    plain = normalised(text)[:LONGEST_TEXT]
    words = list(_WORD.finditer(plain))
    found = []
    for name, others in names.items():
        for said in (name, *others):
            found += [
                Value(kind, name, start, end, text[start:end])
                for start, end in _places(plain, words, normalised(said), misspelt)
            ]
    return sorted(_apart(found), key=lambda value: value.start)


def _places(text: str, words: Sequence[re.Match[str]], said: str, misspelt: bool) -> Iterable[tuple[int, int]]:
    if not said.isascii():
        if said in text:
            yield from (match.span() for match in re.finditer(re.escape(said), text))
        return
    if not misspelt and said not in text:
        return
    count = len(said.split())
    for index in range(len(words) - count + 1):
        start, end = words[index].start(), words[index + count - 1].end()
        if text[start:end] == said or (misspelt and _is_near(text[start:end], said)):
            yield start, end


def _is_near(text: str, said: str) -> bool:
    """Whether one letter is wrong, or two of many."""
    if min(len(text), len(said)) < SHORTEST_MISSPELT or text[0] != said[0] or abs(len(text) - len(said)) > 2:
        return False
    return distance(text, said) <= (2 if len(said) >= 9 else 1)


def _apart(found: Sequence[Value]) -> list[Value]:
    kept: list[Value] = []
    for value in sorted(found, key=lambda value: (value.start - value.end, value.start)):
        if all(value.end <= other.start or other.end <= value.start for other in kept):
            kept.append(value)
    return kept
