"""Splits what a model thinks from what it answers, while the text streams; knows nothing of models.

A tag counts only where nothing but white space stands before it on its line, outside a fenced code block: so an
answer can speak of `<think>` without being swallowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|begin_of_thought|>": "<|end_of_thought|>",
}
"""Opening and closing tags that reasoning models are trained to write."""

_OPENING = re.compile("|".join(re.escape(tag) for tag in TAGS))
_FENCE = re.compile(r"^[ \t]*(```|~~~)")
_LONGEST_TAG = max(map(len, TAGS))


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of streamed text, either of the answer or of the reasoning."""

    text: str
    reasoning: bool = False


class ReasoningSplitter:
    """Feed it text as it comes; it holds back only what may turn out to be a tag."""

    def __init__(self) -> None:
        self._held = ""
        self._line = ""  # what is known of the answer's current line
        self._closing: str | None = None
        self._fenced = False
        self._fresh = True  # nothing was said yet
        self._trim = False  # white space that follows reasoning is dropped

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain now."""
        self._held += text
        pieces: list[Piece] = []
        while (piece := self._take(final=False)) is not None:
            if piece.text:
                pieces.append(piece)
        return pieces

    def flush(self) -> list[Piece]:
        """What is left when the text has ended."""
        pieces: list[Piece] = []
        while (piece := self._take(final=True)) is not None:
            if piece.text:
                pieces.append(piece)
        return pieces

    def _take(self, *, final: bool) -> Piece | None:
        if not self._held:
            return None
        return self._take_reasoning(final) if self._closing else self._take_answer(final)

    def _take_reasoning(self, final: bool) -> Piece | None:
        assert self._closing is not None
        end = self._held.find(self._closing)
        if end >= 0:
            text, self._held = self._held[:end], self._held[end + len(self._closing) :]
            self._closing, self._trim, self._line = None, True, ""
            return Piece(text, reasoning=True)
        keep = 0 if final else _overlap(self._held, [self._closing])
        return self._cut(len(self._held) - keep, reasoning=True)

    def _take_answer(self, final: bool) -> Piece | None:
        if self._trim:
            self._held = self._held.lstrip()
        ahead = self._held.lstrip() if self._fresh else self._held.lstrip(" \t")
        if not ahead and (self._fresh or self._trim) and not final:
            return None
        if self._may_open():
            if tag := _OPENING.match(ahead):
                self._held = ahead[tag.end() :]
                self._closing = TAGS[tag[0]]
                return Piece("")
            if not final and _could_open(ahead):
                return None
        self._trim = self._fresh = False
        newline = self._held.find("\n")
        return self._cut(len(self._held) if newline < 0 else newline + 1, reasoning=False)

    def _may_open(self) -> bool:
        return not self._fenced and not self._line.strip()

    def _cut(self, length: int, *, reasoning: bool) -> Piece | None:
        if length <= 0:
            return None
        text, self._held = self._held[:length], self._held[length:]
        if not reasoning:
            self._follow(text)
        return Piece(text, reasoning)

    def _follow(self, text: str) -> None:
        """Keep track of the answer's current line and of code fences; `text` ends at most one line."""
        self._line += text
        if text.endswith("\n"):
            if _FENCE.match(self._line):
                self._fenced = not self._fenced
            self._line = ""


def _could_open(text: str) -> bool:
    return any(tag.startswith(text) for tag in TAGS) if len(text) < _LONGEST_TAG else False


def _overlap(text: str, tags: list[str]) -> int:
    """How many characters at the end of `text` may be the start of a tag."""
    for size in range(min(len(text), max(map(len, tags)) - 1), 0, -1):
        if any(tag.startswith(text[-size:]) for tag in tags):
            return size
    return 0
