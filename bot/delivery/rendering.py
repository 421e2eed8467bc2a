"""Writes laid-out lines in a dialect: text with spans, Markdown, or plain text.

A dialect says what stands between two lines (`glue`) and what a line is by itself (`body`); a message is nothing but
these, one after the other, so that its length is their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Protocol

from bot.channel import Span
from bot.delivery.characters import is_blank
from bot.delivery.formatted import Formatted
from bot.delivery.layout import Line, lay_out
from bot.delivery.markup import Document, Inline, Run, Style
from bot.delivery.tables import PHONE_COLUMNS

HARD_SPACE = "\u00a0"
"""Indents: platforms take ordinary spaces away from the start of a message."""
MOST_SPANS = 100
"""What platforms with entities show of them in one message."""


class Dialect(Protocol):
    """How lines are written."""

    def adapt(self, runs: Inline) -> Inline:
        """What the dialect can show of the runs of a line."""

    def glue(self, before: Line | None, after: Line | None) -> str:
        """What stands between two lines; None is the start or end of the message."""

    def body(self, line: Line) -> str:
        """A line by itself."""

    def spans(self, before: Line | None, line: Line) -> int:
        """How many spans a line adds to those before it."""

    def write(self, lines: Sequence[Line]) -> Formatted:
        """A message."""


def write_source(dialect: Dialect, lines: Sequence[Line]) -> str:
    """A message as one text, without spans."""
    parts = []
    for before, after in zip((None, *lines), (*lines, None), strict=True):
        parts.append(dialect.glue(before, after))
        if after is not None:
            parts.append(dialect.body(after))
    return "".join(parts)


# -- what can be open over a stretch of text ----------------------------------------------------------------

Mark = tuple[str, str]
"""A kind of span and its value."""
_KINDS = {
    Style.BOLD: "bold",
    Style.ITALIC: "italic",
    Style.STRIKETHROUGH: "strikethrough",
    Style.SPOILER: "spoiler",
}


def marks(run: Run) -> tuple[Mark, ...]:
    """The marks of a run, code aside."""
    return _marks(run.style, run.url) if run.style or run.url else ()


@lru_cache(maxsize=256)
def _marks(style: Style, url: str) -> tuple[Mark, ...]:
    found = tuple((kind, "") for one, kind in _KINDS.items() if one in style)
    return (("link", url), *found) if url else found


@dataclass(frozen=True, slots=True)
class Opened:
    mark: Mark


@dataclass(frozen=True, slots=True)
class Closed:
    mark: Mark


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    run: Run


Event = Opened | Closed | Written


def nest(marked: Sequence[tuple[Run, tuple[Mark, ...]]]) -> Iterator[Event]:
    """The runs with what opens and closes around them: properly nested, and with white space outside."""
    opened: list[Mark] = []
    space: list[Written] = []
    extents = _extents(marked)
    for index, (run, wanted) in enumerate(marked):
        while any(mark not in wanted for mark in opened):
            yield Closed(opened.pop())
        if is_blank(run.text):
            space.append(Written(run.text, run))
            continue
        text = run.text.strip()
        start = run.text.index(text)
        yield from space
        if start:
            yield Written(run.text[:start], run)
        # what goes on longest is opened first, so that it need not be closed for what ends sooner
        for mark in sorted(wanted, key=lambda mark: -extents[index][mark]):
            if mark not in opened:
                opened.append(mark)
                yield Opened(mark)
        yield Written(text, run)
        rest = run.text[start + len(text) :]
        space = [Written(rest, run)] if rest else []
    while opened:
        yield Closed(opened.pop())
    yield from space


def _extents(marked: Sequence[tuple[Run, tuple[Mark, ...]]]) -> list[dict[Mark, int]]:
    """For each run, up to which run each of its marks goes on."""
    found: list[dict[Mark, int]] = []
    after: dict[Mark, int] = {}
    for index in range(len(marked) - 1, -1, -1):
        after = {mark: after.get(mark, index) for mark in marked[index][1]}
        found.append(after)
    return found[::-1]


# -- text with spans ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spans:
    """Plain text, and spans beside it. Code holds nothing and, quotes aside, stands in nothing."""

    def adapt(self, runs: Inline) -> Inline:
        """Code cannot be linked: where all of a label is code, the address follows it."""
        adapted: list[Run] = []
        for url, group in groupby(runs, key=lambda run: run.url):
            label = list(group)
            if url and all(Style.CODE in run.style for run in label):
                adapted += [Run(run.text, Style.CODE) for run in label]
                adapted.append(Run(f" ({url})"))
            else:
                adapted += [Run(run.text, Style.CODE) if Style.CODE in run.style else run for run in label]
        return tuple(adapted)

    def glue(self, before: Line | None, after: Line | None) -> str:
        if before is None or after is None:
            return ""
        return "\n\n" if after.has_gap else "\n"

    def body(self, line: Line) -> str:
        return HARD_SPACE * line.indent + line.marker + line.text

    def spans(self, before: Line | None, line: Line) -> int:
        blocks = bool(line.code) and (before is None or before.code != line.code)
        quotes = bool(line.quote) and (before is None or before.quote != line.quote)
        if _is_unmarked(line):
            return blocks + quotes
        return blocks + quotes + sum(isinstance(event, Opened) for event in nest(_marked(line)))

    def write(self, lines: Sequence[Line]) -> Formatted:
        offsets = []
        length = 0
        for before, line in zip((None, *lines), lines, strict=False):
            length += len(self.glue(before, line))
            offsets.append(length)
            length += len(self.body(line))
        text = write_source(self, lines)
        spans = [
            *_blocks(lines, offsets, text, "quote"),
            *_blocks(lines, offsets, text, "pre"),
            *(span for line, offset in zip(lines, offsets, strict=True) for span in _inner(line, offset)),
        ]
        # stable: of spans of one length, the outer one was opened first
        return Formatted(text, tuple(sorted(spans, key=lambda span: (span.start, -span.end))))


def _marked(line: Line) -> list[tuple[Run, tuple[Mark, ...]]]:
    return [(run, (("code", ""),) if Style.CODE in run.style else marks(run)) for run in line.runs]


def _is_unmarked(line: Line) -> bool:
    return all(not run.style and not run.url for run in line.runs)


def _inner(line: Line, offset: int) -> list[Span]:
    if _is_unmarked(line):
        return []
    position = offset + line.indent + len(line.marker)
    found: list[Span] = []
    opened: list[int] = []
    for event in nest(_marked(line)):
        if isinstance(event, Written):
            position += len(event.text)
        elif isinstance(event, Opened):
            opened.append(len(found))
            found.append(Span(event.mark[0], position, position, event.mark[1]))
        else:
            index = opened.pop()
            found[index] = replace(found[index], end=position)
    return found


def _blocks(lines: Sequence[Line], offsets: Sequence[int], text: str, kind: str) -> Iterator[Span]:
    """The spans of quotes or of code blocks: one for the lines that belong to the same."""

    def block(index: int) -> int:
        return lines[index].quote if kind == "quote" else lines[index].code

    for number, group in groupby(range(len(lines)), key=block):
        indexes = list(group)
        start = offsets[indexes[0]]
        end = offsets[indexes[-1] + 1] if indexes[-1] + 1 < len(lines) else len(text)
        shown = text[start:end]
        if not number or is_blank(shown):
            continue
        end = start + len(shown.rstrip())
        # the indentation of code stays where it is
        start += len(shown) - len(shown.lstrip("\n" if lines[indexes[0]].code else None))
        yield Span(kind, start, end, lines[indexes[0]].language if kind == "pre" else "")


# -- plain text ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plain:
    """Text alone: links have their address after them, quotes a sign before each line."""

    def adapt(self, runs: Inline) -> Inline:
        adapted: list[Run] = []
        for url, group in groupby(runs, key=lambda run: run.url):
            label = "".join(run.text for run in group)
            adapted.append(Run(label))
            if url and not names(label, url):
                adapted.append(Run(f" ({url})"))
        return tuple(adapted)

    def glue(self, before: Line | None, after: Line | None) -> str:
        prefix = "> " if after is not None and after.quote else ""
        if before is None or after is None:
            return prefix
        gap = "\n" if not after.has_gap else "\n>\n" if before.quote == after.quote != 0 else "\n\n"
        return gap + prefix

    def body(self, line: Line) -> str:
        return " " * line.indent + line.marker + line.text

    def spans(self, before: Line | None, line: Line) -> int:
        return 0

    def write(self, lines: Sequence[Line]) -> Formatted:
        return Formatted(write_source(self, lines))


def names(label: str, url: str) -> bool:
    """Whether a label says where the link leads."""
    return label == url or url in (f"mailto:{label}", f"tel:{label}")


def render_spans(document: Document, *, columns: int = PHONE_COLUMNS) -> Formatted:
    """The whole document as text with spans, however long and however many."""
    return Spans().write(lay_out(document, columns=columns, adapt=Spans().adapt))


def render_plain(document: Document, *, columns: int = PHONE_COLUMNS) -> str:
    """The whole document as plain text."""
    return Plain().write(lay_out(document, columns=columns, adapt=Plain().adapt)).text
