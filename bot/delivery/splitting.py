"""Splits a document into messages that fit, at the best place there is: paragraph, line, sentence, word, character.

Nothing is lost and nothing said twice, but for the header of a table that goes on and the fence of code that goes on.
Takes time in proportion to the text. Where a message would have more spans than platforms show, another one is begun:
that loses no formatting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.channel import Format
from bot.delivery.breaking import Cut, chunked, cut
from bot.delivery.characters import is_blank
from bot.delivery.formatted import Formatted
from bot.delivery.layout import Line, join, lay_out
from bot.delivery.markdown import Markdown
from bot.delivery.markup import Document, Run
from bot.delivery.rendering import MOST_SPANS, Dialect, Plain, Spans
from bot.delivery.tables import PHONE_COLUMNS

CRAMPED = 128
"""Below this length there is no room for anything but text."""
_FULL = 3
"""A message that is a third full may end at the end of a paragraph or line."""


def split(
    document: Document,
    *,
    longest: int,
    measure: Callable[[str], int] = len,
    format: Format = Format.SPANS,
    columns: int = PHONE_COLUMNS,
) -> list[Formatted]:
    """The messages that show a document; none for an empty one.

    Args:
        document: what to show.
        longest: how long a message may be, in units of `measure`. A single character that is longer is sent anyway.
        measure: the length of a text; that of two texts together is the sum, and no character has less than 1.
        format: how the platform wants it.
        columns: how wide a table may be, to be shown as one.
    """
    dialect: Dialect = Spans()
    if format is Format.PLAIN or longest < CRAMPED:
        dialect = Plain()
    elif format is Format.MARKDOWN:
        dialect = Markdown(longest_url=longest // 4)
    lines = lay_out(document, columns=columns, adapt=dialect.adapt)
    if longest < CRAMPED:
        lines = tuple(map(bare, lines))
    return _Packing(dialect, longest, measure).pack(lines)


def bare(line: Line) -> Line:
    """The line as nothing but text."""
    return Line((Run(line.marker + line.text),), has_gap=line.has_gap)


class _Packing:
    """Fills one message after the other with lines."""

    def __init__(self, dialect: Dialect, longest: int, measure: Callable[[str], int]) -> None:
        self._dialect = dialect
        self._longest = longest
        self._measure = measure
        self._waiting: deque[Line] = deque()
        self._done: list[Formatted] = []
        self._begin()

    def _begin(self) -> None:
        self._lines: list[Line] = []
        self._used = 0
        self._used_before: list[int] = []  # each line
        self._spans = 0
        self._repeated = 0  # how many lines at the start stand in the message before, too

    def pack(self, lines: Sequence[Line]) -> list[Formatted]:
        self._waiting.extend(map(chunked, lines))
        while self._waiting:
            line = self._waiting.popleft()
            if not self._lines:
                self._repeat_header(line)
            if (fitting := self._fitting(line)) is not None:
                self._append(fitting)
            else:
                self._overflow(line)
        self._finish(len(self._lines))
        return self._done

    # -- what fits ------------------------------------------------------------------------------------------

    def _room(self, line: Line) -> int:
        """What is left for the line's body."""
        before = self._lines[-1] if self._lines else None
        around = self._dialect.glue(before, line) + self._dialect.glue(line, None)
        return self._longest - self._used - self._measure(around)

    def _fitting(self, line: Line) -> Line | None:
        """The line with its runs whole again, or None where it does not fit. Looks no further than there is room."""
        room = self._room(line)
        length = 0
        for run in line.runs:
            length += len(run.text)
            if length > room:
                return None
        line = replace(line, runs=join(line.runs))
        return line if self._is_within(line, room) else None

    def _is_within(self, line: Line, room: int) -> bool:
        if self._measure(self._dialect.body(line)) > room:
            return False
        before = self._lines[-1] if self._lines else None
        return self._spans + self._dialect.spans(before, line) <= MOST_SPANS

    def _append(self, line: Line) -> None:
        before = self._lines[-1] if self._lines else None
        self._used_before.append(self._used)
        self._used += self._measure(self._dialect.glue(before, line) + self._dialect.body(line))
        self._spans += self._dialect.spans(before, line)
        self._lines.append(line)

    def _repeat_header(self, line: Line) -> None:
        if not self._done:
            return
        for repeated in line.repeated:
            if self._fitting(repeated):
                self._append(repeated)
        self._repeated = len(self._lines)
        if self._repeated and not self._fitting(line):
            self._begin()

    # -- what does not fit ----------------------------------------------------------------------------------

    def _overflow(self, line: Line) -> None:
        if place := self._best_place(line):
            self._waiting.appendleft(line)
            self._waiting.extendleft(reversed(self._lines[place:]))
            self._finish(place)
            return
        found = self._cut(line)
        if found is None:
            self._waiting.appendleft(line)
        else:
            self._append(found.head)
            if found.tail is not None:
                self._waiting.appendleft(found.tail)
        self._finish(len(self._lines))

    def _best_place(self, line: Line) -> int:
        """Before which line the message had best end; 0 where the line that does not fit is to be broken instead."""
        places = [
            index for index in range(len(self._lines), self._repeated, -1) if not self._lines[index - 1].is_sticky
        ]
        following = [*self._lines, line]
        used = [*self._used_before, self._used]
        full = [index for index in places if used[index] * _FULL >= self._longest]
        if paragraphs := [index for index in full if following[index].has_gap]:
            return paragraphs[0]
        if full:
            return full[0]
        return places[0] if places and (line.is_whole or line.code) else 0

    def _cut(self, line: Line) -> Cut | None:
        """The part of the line that fits; None where the message is better ended before it."""
        if found := cut(line, self._room(line), self._is_within, is_forced=False):
            return found
        if self._lines:
            return None
        if found := cut(line, self._room(line), self._is_within, is_forced=True):
            return found
        line = bare(line)
        found = cut(line, max(self._room(line), 1), self._is_within, is_forced=True)
        return found or cut(line, 1, lambda head, room: True, is_forced=True)

    def _finish(self, count: int) -> None:
        if self._lines[:count]:
            message = self._dialect.write(self._lines[:count])
            if not is_blank(message.text):
                self._done.append(message)
        self._begin()
