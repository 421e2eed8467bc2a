"""Reads messages back, so that tests can compare what a person sees with what was to be said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.delivery.formatted import Formatted

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
