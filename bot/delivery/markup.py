"""A reply's text as a tree: what is a heading, a list, a table, code, and which words are strong, struck or linked.

Knows no platform. Inline text is flat: a run has all its styles at once, so that they nest properly wherever they are
written out. Parsing is in `bot.delivery.parsing`, imported when it is first used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto


class Style(Flag):
    """How a run of text is shown; SPOILER is never parsed, since `a || b` is common in answers."""

    NONE = 0
    BOLD = auto()
    ITALIC = auto()
    STRIKETHROUGH = auto()
    SPOILER = auto()
    CODE = auto()


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one style; newlines in it are line breaks."""

    text: str
    style: Style = Style.NONE
    url: str = ""


Inline = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    runs: Inline


@dataclass(frozen=True, slots=True)
class Heading:
    runs: Inline
    level: int


@dataclass(frozen=True, slots=True)
class CodeBlock:
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list; `checked` is None where it is no task."""

    blocks: tuple[Block, ...]
    checked: bool | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; `start` is the first number, None where there are bullets. A tight one has no blank lines inside."""

    items: tuple[Item, ...]
    start: int | None = None
    is_tight: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows have as many cells as the header; alignments are "left", "right", "center" or empty."""

    header: tuple[Inline, ...]
    rows: tuple[tuple[Inline, ...], ...]
    alignments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Block = Paragraph | Heading | CodeBlock | Quote | Listing | Table | Rule


@dataclass(frozen=True, slots=True)
class Document:
    """Blocks that show something; what shows nothing is left out when parsing."""

    blocks: tuple[Block, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a person could see."""
        return not self.blocks


def parse(markdown: str, *, partial: bool = False) -> Document:
    """The tree of a text in CommonMark with tables and strikethrough; HTML is text.

    Args:
        markdown: any text at all; what no platform accepts (control characters, lone surrogates) is mended.
        partial: whether the text is still being written: what is open at its end is closed, half a mark left out.
    """
    from bot.delivery.parsing import read

    return read(markdown, partial=partial)
