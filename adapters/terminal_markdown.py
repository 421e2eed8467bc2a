"""Shows Markdown in a terminal while it is still being written; knows nothing of conversations.

Blocks that are whole are printed once and for good. Only the last, unfinished block is drawn again and again, in a
region at the end that never grows over the screen, so that scrolling back and copying show clean text. The region is
measured for the width that the terminal has when it is erased: a resize in between leaves nothing behind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.segment import ControlType, Segment
from rich.text import Text

from adapters.controls import without_controls

REDRAW_SECONDS = 0.1
"""Least time between two drawings: each takes milliseconds that the model could use."""
SPARE_LINES = 2
"""Lines of the screen that the unfinished block leaves free."""

Line = list[Segment]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class MarkdownStream:
    """Feed it Markdown as it comes, and finish it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parser = MarkdownIt().enable("table").enable("strikethrough")
        self._rest = ""  # the text from the start of the unfinished block
        self._region = _Region(console)
        self._drawn_at = 0.0
        self._printed = False

    def feed(self, text: str) -> None:
        """Add text; draws it when the last drawing is old enough."""
        self._rest += without_controls(text)
        now = time.monotonic()
        if now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            self._draw()

    def finish(self) -> None:
        """Print what is left."""
        for block in self._blocks(self._rest):
            self._print(block)
        self._print("")
        self._rest = ""

    def _draw(self) -> None:
        *whole, last = self._blocks(self._rest) or [""]
        for block in whole:
            self._print(block)
        self._rest = last
        if last.strip():
            room = max(1, self._console.height - SPARE_LINES)
            self._region.draw(self._render(last)[-room:])

    def _print(self, block: str) -> None:
        self._region.draw(self._render(block) if block.strip() else [])
        if block.strip():
            self._region.keep()
            self._printed = True

    def _blocks(self, source: str) -> list[str]:
        """The top-level blocks; all but the last can no longer change."""
        starts = [token.map[0] for token in self._parser.parse(source) if token.level == 0 and token.map]
        lines = _LINE.findall(source)
        edges = [0, *starts[1:], len(lines)]
        return ["".join(lines[start:end]) for start, end in pairwise(edges)]

    def _render(self, block: str) -> list[Line]:
        """The block's lines, after an empty one where something stands above."""
        markdown = Markdown(block, code_theme="ansi_dark", hyperlinks=False)
        lines = list(render_lines(self._console, markdown))
        while lines and not lines[0]:
            del lines[0]
        while lines and not lines[-1]:
            del lines[-1]
        return [[], *lines] if self._printed else lines


class _Region:
    """Lines at the end of the terminal that can be drawn again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: list[Line] = []

    def draw(self, lines: list[Line]) -> None:
        """Show these lines in place of the ones before."""
        if lines == self._lines:
            return
        segments = list(self._erase())
        for line in lines:
            segments += [*line, Segment.line()]
        self._console.print(_Segments(segments), end="")
        self._lines = lines

    def keep(self) -> None:
        """Let what is shown stand; the next drawing goes below it."""
        self._lines = []

    def _erase(self) -> Iterator[Segment]:
        width = max(1, self._console.width)
        rows = sum(max(1, -(-Segment.get_line_length(line) // width)) for line in self._lines)
        if rows:
            # to the first column, up, and clear to the end of the screen
            yield Segment(f"\r\x1b[{rows}A\x1b[J", None, [(ControlType.CURSOR_UP, rows)])


class _Segments:
    """Segments as they are, for `Console.print`."""

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments

    def __rich_console__(self, console: Console, options: object) -> Iterator[Segment]:
        yield from self._segments


def render_lines(console: Console, renderable: RenderableType) -> Iterator[Line]:
    """The lines of a renderable without the white space that fills them up."""
    for line in console.render_lines(renderable, pad=False):
        yield _stripped(line)


def _stripped(line: Line) -> Line:
    line = list(line)
    while line and not line[-1].text.strip() and not _is_coloured(line[-1]):
        line.pop()
    if line and not _is_coloured(line[-1]):
        text, style, control = line[-1]
        line[-1] = Segment(text.rstrip(), style, control)
    return line


def _is_coloured(segment: Segment) -> bool:
    return segment.style is not None and segment.style.bgcolor is not None


def dim(text: str) -> Text:
    """A remark beside the conversation."""
    return Text(text, style="dim")
