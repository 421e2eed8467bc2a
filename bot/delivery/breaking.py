"""Breaks a line that is too long: after a sentence, a word, or at least not within a character or a link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from bot.delivery.characters import graphemes
from bot.delivery.layout import Line, join, strip, with_bidi_closed
from bot.delivery.markup import Inline, Run

_CHUNK = 4096
_CLOSING = "、。，．！？；：）〕］｝〉》」』】”’…"
# what a break may follow, the best first
_SENTENCE = re.compile(r"[.!?…][\"')\]”’]*(?=\s)|[。！？…][」』”’）]*")
_CLAUSE = re.compile(r"\s+|[，、；：]")
_IDEOGRAPH = re.compile(rf"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af](?![{_CLOSING}])")


@dataclass(frozen=True, slots=True)
class Cut:
    """A line in two; there is no tail where only white space is left."""

    head: Line
    tail: Line | None


def cut(line: Line, room: int, is_within: Callable[[Line, int], bool], *, is_forced: bool) -> Cut | None:
    """The best part of a line that fits, and what is left; None where nothing fits.

    Args:
        line: what to break.
        room: how much may be kept.
        is_within: whether a line is no longer than that.
        is_forced: whether a link may be broken, and then a character, rather than nothing be kept.
    """
    window = _window(line.runs, room + 1)
    text = "".join(run.text for run in window)

    def head(end: int) -> Line:
        kept = _window(window, end)
        kept = kept if line.code else strip(kept, left=False)
        return replace(line, runs=with_bidi_closed(kept))

    for ends in _ends(window, text, room, is_forced=is_forced):
        last = _last(len(ends), lambda index, ends=ends: is_within(head(ends[index]), room))  # type: ignore[misc]
        if last >= 0:
            best = _best(text, ends[last], set(ends), is_code=bool(line.code))
            end = best if is_within(head(best), room) else ends[last]
            return Cut(head(end), _tail(line, end))
    return None


def _last(count: int, fits: Callable[[int], bool]) -> int:
    """The last of `count` places that surely fits; -1 where none does. What is far too long is not measured whole."""
    low, high = -1, 256
    while high < count and fits(high - 1):
        low, high = high - 1, high * 2
    high = min(high, count)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _ends(window: Inline, text: str, room: int, *, is_forced: bool) -> Iterator[list[int]]:
    """Where the text may be broken: first where it should, then, if it must be, where it can."""
    whole = [end for end in accumulate(map(len, graphemes(text))) if end <= room]
    linked = _inside_links(window)
    yield [end for end in whole if end not in linked]
    if is_forced:
        yield whole
        yield list(range(1, min(room, len(text)) + 1))


def _inside_links(window: Inline) -> set[int]:
    inside: set[int] = set()
    position = 0
    for before, run in zip((None, *window), window, strict=False):
        if run.url:
            goes_on = before is not None and before.url == run.url
            inside.update(range(position + (not goes_on), position + len(run.text)))
        position += len(run.text)
    return inside


def _best(text: str, furthest: int, ends: set[int], *, is_code: bool) -> int:
    """The best place to break up to the furthest: not far from there after a sentence, and so on."""
    near = furthest // 2
    patterns = (_CLAUSE,) if is_code else (_SENTENCE, _CLAUSE, _IDEOGRAPH)
    if furthest >= len(text) or (text[furthest].isspace() and not _SENTENCE.search(text, near, furthest)):
        return furthest
    for pattern in patterns:
        places = [match.end() for match in pattern.finditer(text, near) if match.end() in ends]
        if fitting := [place for place in places if near < place <= furthest]:
            return fitting[-1]
    places = [match.end() for match in _CLAUSE.finditer(text, 0, near + 1) if match.end() in ends]
    return places[-1] if places and text[: places[-1]].strip() else furthest


def _tail(line: Line, end: int) -> Line | None:
    rest = _from(line.runs, end)
    if not line.code:
        rest = strip(rest, right=False)
    return line.rest(rest) if rest else None


# -- long runs ----------------------------------------------------------------------------------------------


def chunked(line: Line) -> Line:
    """The line with no run so long that taking something off its start would cost much."""
    if all(len(run.text) <= _CHUNK for run in line.runs):
        return line
    starts = ((run, range(0, len(run.text), _CHUNK)) for run in line.runs)
    runs = (replace(run, text=run.text[at : at + _CHUNK]) for run, places in starts for at in places)
    return replace(line, runs=tuple(runs))


def _window(runs: Inline, length: int) -> Inline:
    """The first runs, up to a length."""
    taken: list[Run] = []
    for run in runs:
        if length <= 0:
            break
        taken.append(run if len(run.text) <= length else replace(run, text=run.text[:length]))
        length -= len(run.text)
    return join(taken)


def _from(runs: Inline, start: int) -> Inline:
    for index, run in enumerate(runs):
        if start < len(run.text):
            return (replace(run, text=run.text[start:]), *runs[index + 1 :])
        start -= len(run.text)
    return ()
