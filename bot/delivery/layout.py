"""Lays the tree out as lines, the way chats show text: what is rendered and split are these lines.

Knows no dialect: how a run, an indentation or a quote is written is for `bot.delivery.rendering`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from itertools import groupby

from bot.delivery import tables
from bot.delivery.characters import bidi_closers, close_bidi, has_bidi, without_bidi
from bot.delivery.markup import (
    Block,
    CodeBlock,
    Document,
    Heading,
    Inline,
    Item,
    Listing,
    Paragraph,
    Quote,
    Rule,
    Run,
    Style,
    Table,
)

BULLET, DONE, OPEN, RULE = "• ", "☑ ", "☐ ", "———"
DEEPEST_INDENT = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a message."""

    runs: Inline
    indent: int = 0
    """Columns before the marker."""
    marker: str = ""
    """The bullet or number of an item that begins here."""
    code: int = 0
    """Which code block the line belongs to; 0 is none."""
    language: str = ""
    quote: int = 0
    """Which quote the line belongs to; 0 is none."""
    has_gap: bool = False
    """Whether a blank line stands before it."""
    is_sticky: bool = False
    """Whether it belongs with the next line."""
    is_whole: bool = False
    """Whether it is not to be broken where that can be helped."""
    repeated: tuple[Line, ...] = ()
    """What is repeated before it where a message begins with it: a table's header."""

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    def rest(self, runs: Inline) -> Line:
        """The line that goes on after a part of this one."""
        indent = self.indent + len(self.marker)
        return replace(self, runs=runs, indent=indent, marker="", has_gap=False, repeated=())


def lay_out(
    document: Document,
    *,
    columns: int = tables.PHONE_COLUMNS,
    adapt: Callable[[Inline], Inline] = lambda runs: runs,
) -> tuple[Line, ...]:
    """The lines of a document.

    Args:
        document: what to show.
        columns: how wide a table may be, to be shown as one.
        adapt: what a dialect makes of the runs of a line.
    """
    layout = _Layout(columns, adapt)
    layout.add_blocks(document.blocks)
    return tuple(layout.lines)


def join(runs: Sequence[Run]) -> Inline:
    """The runs, neighbours of one style joined."""
    groups = groupby(runs, key=lambda run: (run.style, run.url))
    joined = (Run("".join(run.text for run in group), style, url) for (style, url), group in groups)
    return tuple(run for run in joined if run.text)


def strip(runs: Sequence[Run], *, left: bool = True, right: bool = True) -> Inline:
    """The runs without white space at their ends."""
    kept = list(runs)
    while left and kept and not (text := kept[0].text.lstrip()):
        del kept[0]
    if left and kept:
        kept[0] = replace(kept[0], text=text)
    while right and kept and not (text := kept[-1].text.rstrip()):
        del kept[-1]
    if right and kept:
        kept[-1] = replace(kept[-1], text=text)
    return tuple(kept)


def with_bidi_closed(runs: Inline) -> Inline:
    """The runs with no change of direction open at their end, which would go on in what the platform shows next."""
    text = "".join(run.text for run in runs)
    if not has_bidi(text):
        return runs
    if close_bidi(text) == text + bidi_closers(text):
        return (*runs[:-1], replace(runs[-1], text=runs[-1].text + bidi_closers(text)))
    return join([replace(run, text=without_bidi(run.text)) for run in runs])


class _Layout:
    """Collects lines. What the next line begins with (gap, marker) is set before it comes."""

    def __init__(self, columns: int, adapt: Callable[[Inline], Inline]) -> None:
        self.lines: list[Line] = []
        self._columns = columns
        self._adapt = adapt
        self._gap = False
        self._marker = ""
        self._indent = 0
        self._quote = 0
        self._quotes = self._codes = 0

    def add_blocks(self, blocks: Sequence[Block], *, is_tight: bool = False) -> None:
        for index, block in enumerate(blocks):
            if index and not is_tight:
                self._gap = True
            self._add(block)

    def _emit(self, line: Line) -> None:
        """Add a line here; an item's lines after the first stand under its text."""
        indent = 0 if line.code else min(self._indent - len(self._marker), DEEPEST_INDENT)
        self.lines.append(
            replace(
                line,
                runs=with_bidi_closed(line.runs),
                indent=indent,
                marker=self._marker,
                quote=self._quote,
                has_gap=self._gap and bool(self.lines),
            )
        )
        self._gap, self._marker = False, ""

    def _emit_inline(self, runs: Inline, *, is_sticky: bool = False, is_whole: bool = False) -> None:
        for line in _lines(runs):
            if adapted := strip(self._adapt(line)):
                self._emit(Line(adapted, is_sticky=is_sticky, is_whole=is_whole))

    def _emit_code(self, line: Line) -> None:
        """Code has no room for a bullet: that stands on a line of its own before it."""
        if self._marker:
            self._emit(Line((), is_sticky=True))
        self._emit(line)

    @singledispatchmethod
    def _add(self, block: Block) -> None:
        raise TypeError(block)

    @_add.register
    def _(self, block: Paragraph) -> None:
        self._emit_inline(block.runs)

    @_add.register
    def _(self, block: Heading) -> None:
        self._emit_inline(tuple(replace(run, style=run.style | Style.BOLD) for run in block.runs), is_sticky=True)

    @_add.register
    def _(self, block: CodeBlock) -> None:
        self._codes += 1
        for text in block.text.split("\n"):
            self._emit_code(Line((Run(text),) if text else (), code=self._codes, language=block.language))

    @_add.register
    def _(self, block: Quote) -> None:
        outer = self._quote
        if not outer:
            self._quotes += 1
            self._quote = self._quotes
        self.add_blocks(block.blocks)
        self._quote = outer

    @_add.register
    def _(self, block: Listing) -> None:
        for index, item in enumerate(block.items):
            if index and not block.is_tight:
                self._gap = True
            self._item(item, _marker(item, block.start, index), is_tight=block.is_tight)

    def _item(self, item: Item, marker: str, *, is_tight: bool) -> None:
        outer = self._indent
        self._marker += marker
        self._indent += len(marker)
        self.add_blocks(item.blocks, is_tight=is_tight)
        if self._marker:
            self._emit(Line(()))
        self._indent = outer

    @_add.register
    def _(self, block: Table) -> None:
        shown = tables.grid(block, columns=self._columns)
        if shown is None:
            return self._records(tables.records(block))
        self._codes += 1
        head = tuple(
            Line((Run(text),), code=self._codes, quote=self._quote, is_sticky=True, is_whole=True)
            for text in shown.head
        )
        rows = (Line((Run(text),), code=self._codes, is_whole=True, repeated=head) for text in shown.rows)
        for line in (*head, *rows):
            self._emit_code(line)
        return None

    def _records(self, records: Sequence[Sequence[Inline]]) -> None:
        for index, record in enumerate(records):
            self._gap = self._gap or index > 0
            for runs in record[:-1]:
                self._emit_inline(runs, is_sticky=True, is_whole=True)
            self._emit_inline(record[-1], is_whole=True)

    @_add.register
    def _(self, block: Rule) -> None:
        self._emit(Line((Run(RULE),)))


def _marker(item: Item, start: int | None, index: int) -> str:
    if item.checked is not None:
        return DONE if item.checked else OPEN
    return BULLET if start is None else f"{start + index}. "


def _lines(runs: Inline) -> Iterator[Inline]:
    """The runs, line by line."""
    line: list[Run] = []
    for run in runs:
        first, *others = run.text.split("\n")
        line.append(replace(run, text=first))
        for text in others:
            yield tuple(part for part in line if part.text)
            line = [replace(run, text=text)]
    yield tuple(part for part in line if part.text)
