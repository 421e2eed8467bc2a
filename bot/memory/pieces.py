"""Cuts a text of any length into pieces that fit, at paragraphs, sentences or words; does not know what for.

Never counts more than a little beyond one piece at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable

from bot.errors import PromptTooLong

FIRST_CHARACTERS_PER_TOKEN = 3.0
"""What the first piece is tried with; after that, what was counted tells."""
CAUTION = 0.95
"""How full a piece is meant to be, so that few have to be counted twice."""
ROOMY = 0.7
"""A piece that is not even that full is tried again, longer."""
JOINER = "\u200d"

# where a text is cut, best first
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[.!?…](?=\s)|[。！？]"), re.compile(r"\s"))


async def pieces_of(text: str, count: Callable[[str], Awaitable[int]], *, most_tokens: int) -> list[str]:
    """The text in pieces, in order, without the white space between them; none of a blank text.

    Args:
        text: of any length.
        count: the tokens that are needed for a piece, with all that goes with it.
        most_tokens: what `count` may give.

    Raises:
        PromptTooLong: not even a single sign fits.
    """
    pieces, start = [], 0
    size = max(1, int(most_tokens * FIRST_CHARACTERS_PER_TOKEN))
    while start < len(text):
        end, tokens = await _fitting(text, start, size, count, most_tokens)
        if piece := text[start:end].strip():
            pieces.append(piece)
            size = _resized(end - start, tokens, most_tokens)
        start = end
    return pieces


async def _fitting(
    text: str, start: int, size: int, count: Callable[[str], Awaitable[int]], most_tokens: int
) -> tuple[int, int]:
    """Where the piece that begins at `start` ends, and its tokens; `size` is what it is tried with."""
    end = _end(text, start, size)
    tokens = await count(text[start:end].strip())
    if tokens < ROOMY * most_tokens and end < len(text):
        end = _end(text, start, _resized(end - start, tokens, most_tokens))
        tokens = await count(text[start:end].strip())
    while tokens > most_tokens:
        if end - start <= 1:
            raise PromptTooLong("errors.prompt_too_long", tokens=tokens, limit=most_tokens)
        end = _end(text, start, _resized(end - start, tokens, most_tokens))
        tokens = await count(text[start:end].strip())
    return end, tokens


def _resized(signs: int, tokens: int, most_tokens: int) -> int:
    """How many signs fit, where so many have so many tokens."""
    return max(1, int(signs * CAUTION * most_tokens / max(1, tokens)))


def _end(text: str, start: int, size: int) -> int:
    """Where the piece that begins at `start` and has at most `size` signs ends."""
    last = start + size
    if last >= len(text):
        return len(text)
    for pattern in _BREAKS:
        found = [match.end() for match in pattern.finditer(text, start + size // 2, last)]
        if found:
            return found[-1]
    while last > start + 1 and _belong_together(text[last - 1], text[last]):
        last -= 1
    return last


def _belong_together(one: str, other: str) -> bool:
    return unicodedata.category(other).startswith("M") or JOINER in (one, other)
