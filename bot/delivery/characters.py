"""Single characters: which are harmful, which cannot be seen, which belong together; knows nothing of markup."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNSEEN = "\u034f\u115f\u1160\u2800\u3164\ufe0e\ufe0f\uffa0"
_POP_EMBEDDING, _POP_ISOLATE = "\u202c", "\u2069"
_DEEPEST_BIDI = 8


def clean(text: str) -> str:
    """The text without control characters but newline and tab, with U+FFFD for each lone surrogate."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", _BREAKS.sub("\n", text)))


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return all(char.isspace() or char in _UNSEEN or unicodedata.category(char) == "Cf" for char in text)


def has_bidi(text: str) -> bool:
    """Whether the text has characters that set the direction of others."""
    return _BIDI.search(text) is not None


def bidi_closers(text: str) -> str:
    """What closes the embeddings, overrides and isolates that are open at the end of the text, at most eight."""
    closers: list[str] = []
    for match in _BIDI.finditer(text):
        char = match[0]
        if char not in (_POP_EMBEDDING, _POP_ISOLATE):
            closers.append(_POP_ISOLATE if char >= "\u2066" else _POP_EMBEDDING)
        elif char == _POP_ISOLATE and _POP_ISOLATE in closers:
            while closers.pop() != _POP_ISOLATE:
                pass
        elif char == _POP_EMBEDDING and closers and closers[-1] == _POP_EMBEDDING:
            closers.pop()
    return "".join(reversed(closers))


def without_bidi(text: str) -> str:
    """The text in its natural direction."""
    return _BIDI.sub("", text)


def close_bidi(text: str) -> str:
    """The text with nothing open at its end; directions nested deeper than any language needs are dropped."""
    closers = bidi_closers(text)
    return without_bidi(text) if len(closers) > _DEEPEST_BIDI else text + closers


def graphemes(text: str) -> Iterator[str]:
    """What a person takes for single characters."""
    if text.isascii():
        return iter(text)
    from wcwidth import iter_graphemes

    return iter_graphemes(text)


def columns(text: str) -> int:
    """How many columns the text takes where every character has the same width."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return max(wcswidth(text), 0)
