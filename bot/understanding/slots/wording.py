"""What is left of a text when values are taken out of it, without the words that frame a request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.understanding.slots.lexicon import lexicon
from bot.understanding.slots.scanning import normalised

_SPACES = re.compile(r"\s+")
LONGEST_FRAME = 60
"""Signs at the end of a text in which the end of a request is looked for."""
_STRAY = " \t\n,;:.，；：。、-–—"


def rest_of(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """What the text says besides the spans, as it would be written: "call mum"."""
    kept, place = [], 0
    for start, end in sorted(spans):
        kept.append(text[place:start].rstrip() if place else text[place:start].strip())
        place = max(place, end)
    kept.append(text[place:])
    joined = ""
    for piece in kept:
        joined = _joined(joined, piece)
    return _without_insides(unframed(joined))


def _joined(one: str, other: str) -> str:
    """Both with a space between them, unless both ends are Chinese."""
    one, other = one.rstrip(), other.lstrip()
    if not one or not other:
        return one or other
    is_close = not one[-1].isascii() or not other[0].isascii() or other[0] in ",.;:!?"
    return one + other if is_close else f"{one} {other}"


def _without_insides(text: str) -> str:
    """The text without what asks for something in its midst, once."""
    for pattern in lexicon().frame_insides:
        if match := pattern.search(normalised(text)):
            return _joined(text[: match.start()], text[match.end() :]).strip(_STRAY)
    return text


def unframed(text: str) -> str:
    """The text without what only asks for something, at its beginning and its end."""
    text = _SPACES.sub(" ", text).strip(_STRAY)
    known = lexicon()
    while True:
        plain = normalised(text)
        match = next((match for pattern in known.frame_starts if (match := pattern.match(plain)) and match.end()), None)
        tail = max(len(plain) - LONGEST_FRAME, 0)
        end = next((found for pattern in known.frame_ends if (found := pattern.search(plain, tail))), None)
        shorter = text[match.end() :] if match else (text[: end.start()] if end else text)
        shorter = shorter.strip(_STRAY)
        if shorter == text:
            return text
        text = shorter


def anchor_of(plain: str) -> tuple[int, int] | None:
    """Where a normalised text asks for something: "remind me", 提醒我."""
    match = lexicon().anchor.search(plain)
    return match.span() if match else None
