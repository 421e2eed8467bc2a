"""The words of all languages, from `prompts/slots/*.toml`, each with the sign by which the grammar knows its kind.

All languages are read at once, since people mix them. Knows nothing of what phrases mean.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

SIGNS = {
    "number": "n",
    "ordinal": "o",
    "unit": "u",
    "weekday": "w",
    "weekdays": "W",
    "group": "g",
    "groups": "G",
    "month": "b",
    "day": "d",
    "year": "Y",
    "part": "p",
    "half_of_day": "a",
    "clock": "c",
    "holiday": "v",
    "every": "e",
    "frequency": "j",
    "edge": "E",
    "other": ".",
    # single words
    "one": "1",
    "and": "C",
    "half": "h",
    "and_half": "J",
    "quarter": "q",
    "minute_sign": "m",
    "past": "P",
    "to": "T",
    "oclock": "H",
    "sharp": "i",
    "short_of": "K",
    "in": "F",
    "from_now": "f",
    "ago": "B",
    "after": "A",
    "at": "@",
    "around": "~",
    "link": "s",
    "for": "D",
    "next": "x",
    "this": "t",
    "last": "l",
    "until": "U",
    "until_end": "V",
    "since": "S",
    "since_end": "Z",
    "times": "N",
    "except": "M",
    "year_sign": "y",
    "month_sign": "z",
    "day_sign": "r",
}
SECOND = "2"
"""The word "second", which is a unit and an ordinal."""
MOST_WORDS = 4
LONGEST_SIGNS = 6
SHORTEST_MISSPELT = 6
FAR_FROM = 8
"""From this length on, a misspelt word may differ in two places."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a word is: its kind's sign, and its value as the data file has it."""

    sign: str
    value: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All words, and the tables that are no part of the grammar."""

    words: Mapping[str, Word]
    misspelt_targets: Mapping[str, tuple[str, ...]]
    """Words that are recognised although misspelt, by their first letter."""
    not_misspelt: frozenset[str]
    simplified: Mapping[int, str]
    measures: Mapping[str, str]
    me: frozenset[str]
    places: Mapping[str, str]
    before_place: frozenset[str]
    hints: Mapping[str, re.Pattern[str]]
    """What tells the half of the day, by the half."""
    frame_starts: tuple[re.Pattern[str], ...]
    frame_ends: tuple[re.Pattern[str], ...]
    frame_insides: tuple[re.Pattern[str], ...]
    anchor: re.Pattern[str]
    spellings: dict[str, str | None] = field(default_factory=dict)


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The packaged words."""
    folder = files("prompts") / "slots"
    tables = [tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8")) for language in ("zh", "en")]
    words = {text: word for table in tables for text, word in _words(table)}
    words["second"] = Word(SECOND, "2")
    pairs = next(table["traditional"]["pairs"] for table in tables if "traditional" in table)
    return Lexicon(
        words=words,
        misspelt_targets=_targets(words),
        not_misspelt=frozenset(_listed(tables, "not_misspelt", "words")),
        simplified={ord(old): new for old, new in zip(pairs[::2], pairs[1::2], strict=True)},
        measures={text: unit for table in tables for unit, texts in table["measure"].items() for text in texts},
        me=frozenset(_listed(tables, "person", "me")),
        places={text: place for table in tables for place, texts in table.get("place", {}).items() for text in texts},
        before_place=frozenset(_listed(tables, "before_place", "words")),
        hints={half: _any_of(_listed(tables, "hint", half)) for half in ("am", "pm")},
        frame_starts=tuple(_start(text) for text in _listed(tables, "frame", "start")),
        frame_ends=tuple(_end(text) for text in _listed(tables, "frame", "end")),
        frame_insides=tuple(re.compile(text) for text in _listed(tables, "frame", "inside")),
        anchor=_any_of(_listed(tables, "frame", "anchor")),
    )


def _words(table: Mapping[str, Any]) -> Iterator[tuple[str, Word]]:
    for name, entries in table.items():
        if name == "word":
            for kind, texts in entries.items():
                yield from ((text, Word(SIGNS[kind], kind)) for text in texts)
        elif name in SIGNS:
            for value, texts in entries.items():
                yield from ((text, Word(SIGNS[name], value)) for text in texts)


def _targets(words: Mapping[str, Word]) -> dict[str, tuple[str, ...]]:
    """Long words that are seldom anything but a time."""
    found: dict[str, list[str]] = {}
    for text, word in words.items():
        is_meant = word.sign in "uwWgGbdp" and text.isascii() and text.isalpha() and len(text) >= SHORTEST_MISSPELT
        if is_meant:
            found.setdefault(text[0], []).append(text)
    return {letter: tuple(texts) for letter, texts in found.items()}


def _listed(tables: list[dict[str, Any]], section: str, name: str) -> list[str]:
    return [text for table in tables for text in table.get(section, {}).get(name, [])]


_BEFORE = r"(?<![a-z0-9])"
_AFTER = r"(?![a-z0-9'])"


def _bounded(text: str) -> str:
    """A pattern that does not end within a word of letters."""
    return f"(?:{text}){_AFTER}" if re.search("[a-z]", text) else f"(?:{text})"


def _any_of(texts: list[str]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile(
        "|".join((_BEFORE if text.isascii() else "") + _bounded(re.escape(text)) for text in longest_first)
    )


def _start(text: str) -> re.Pattern[str]:
    return re.compile(rf"\s*{_bounded(text)}[\s,:;.!，：；。！、]*")


def _end(text: str) -> re.Pattern[str]:
    before = _BEFORE if re.search("[a-z]", text) else ""
    return re.compile(rf"[\s,:;.!，：；。！、]*{before}(?:{text})[\s,.!?，。！？]*$")


def respelt(text: str, known: Lexicon) -> str | None:
    """The word that a misspelt one was meant to be; None where it is not near any."""
    if len(text) < SHORTEST_MISSPELT or text in known.not_misspelt:
        return None
    if text not in known.spellings:
        if len(known.spellings) > 10_000:
            known.spellings.clear()
        known.spellings[text] = _nearest(text, known.misspelt_targets.get(text[0], ()))
    return known.spellings[text]


def _nearest(text: str, targets: tuple[str, ...]) -> str | None:
    for target in targets:
        most = 2 if min(len(text), len(target)) >= FAR_FROM else 1
        if abs(len(text) - len(target)) <= most and distance(text, target) <= most:
            return target
    return None


def distance(one: str, other: str) -> int:
    """Letters to add, leave out, change, or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, target in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != target))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == target:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
