"""Reads messages back, so that tests can compare what a person sees with what was to be said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.delivery.formatted import Formatted
from bot.delivery.layout import Line

UNSEEN = re.compile("[\\s\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe0e\ufe0f\ufeff]")


def visible(text: str) -> str:
    """What can be seen of a text: what must be complete."""
    return UNSEEN.sub("", text)


def together(pieces: Sequence[Formatted]) -> str:
    """What all the messages say."""
    return visible("".join(piece.text for piece in pieces))


def utf16(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def unrepeated(lines: Sequence[Line]) -> str:
    """What lines say, each once."""
    return visible("".join(line.marker + line.text for line in lines))


def without_table_heads(text: str, lines: Sequence[Line]) -> str:
    """Repeated headers are the one thing that is said twice."""
    for head in {line.repeated for line in lines if line.repeated}:
        text = text.replace(visible("".join(line.text for line in head)), "")
    return text
