"""Reads Markdown into the tree of `bot.delivery.markup`, whatever the text; the one module that imports markdown-it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, list_block
from markdown_it.rules_inline import StateInline, image
from markdown_it.token import Token

from bot.delivery.characters import clean, is_blank
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
from bot.delivery.partial import complete

DEEPEST_BLOCKS = 16
"""Quotes and lists beyond this depth are text: markdown-it would leave out what stands deeper than its own limit."""
DEEPEST_INLINE = 20
DEEPEST_IMAGES = 3
SCHEMES = ("http://", "https://", "mailto:", "tg://", "tel:")
_TASK = re.compile(r"\[([ xX])\][ \t]+")
_LANGUAGE = re.compile(r"[\w.+#-]{1,32}", re.ASCII)
_STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKETHROUGH}


def read(markdown: str, *, partial: bool) -> Document:
    """The tree of a text; see `bot.delivery.markup.parse`."""
    text = clean(markdown)
    if is_blank(text):
        return Document()
    return Document(_Builder().build(_parser().parse(complete(text) if partial else text)))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": DEEPEST_INLINE, "html": False})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    around = ["paragraph", "reference", "blockquote"]
    parser.block.ruler.at("blockquote", _shallow(blockquote), {"alt": [*around, "list"]})
    parser.block.ruler.at("list", _shallow(list_block), {"alt": around})
    parser.inline.ruler.at("image", _shallow_image)
    # which addresses may be links is decided here, where they can still be shown as text
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser


_BlockRule = Callable[[StateBlock, int, int, bool], bool]


def _shallow(rule: _BlockRule) -> _BlockRule:
    def guarded(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return state.level < DEEPEST_BLOCKS and rule(state, start, end, silent)

    return guarded


def _shallow_image(state: StateInline, silent: bool) -> bool:
    """Images inside images' texts are parsed by recursion, and each level as often as there are levels."""
    depth = state.env.get("images", 0)
    if depth >= DEEPEST_IMAGES:
        return False
    state.env["images"] = depth + 1
    try:
        return image(state, silent)
    finally:
        state.env["images"] = depth


@dataclass(slots=True)
class _Open:
    """A container that is being filled: blocks of a quote or an item, items of a list, rows or cells of a table."""

    token: Token | None = None
    parts: list[Any] = field(default_factory=list)
    is_tight: bool = False
    alignments: list[str] = field(default_factory=list)


class _Builder:
    """Builds blocks from markdown-it's flat tokens, without recursion."""

    def __init__(self) -> None:
        self._stack = [_Open()]

    def build(self, tokens: Sequence[Token]) -> tuple[Block, ...]:
        for index, token in enumerate(tokens):
            if token.type == "inline":
                self._inline(token, tokens[index - 1])
            elif token.type == "paragraph_open" and token.hidden:
                self._mark_tight()
            elif token.type in ("fence", "code_block"):
                self._code(token)
            elif token.type == "hr":
                self._add(Rule())
            elif token.type.startswith(("paragraph", "heading")):
                pass
            elif token.nesting == 1:
                self._stack.append(_Open(token))
            else:
                self._close()
        return tuple(self._stack[0].parts)

    def _add(self, part: object) -> None:
        self._stack[-1].parts.append(part)

    def _mark_tight(self) -> None:
        for container in reversed(self._stack):
            if container.token is not None and container.token.type.endswith("_list_open"):
                container.is_tight = True
                return

    def _code(self, token: Token) -> None:
        text = token.content.strip("\n")
        if not is_blank(text):
            words = token.info.split(maxsplit=1)
            language = words[0] if words and _LANGUAGE.fullmatch(words[0]) else ""
            self._add(CodeBlock(text, language))

    def _inline(self, token: Token, opening: Token) -> None:
        runs = inline(token.children or ())
        if opening.type in ("th_open", "td_open") or not _is_blank(runs):
            self._add(Heading(runs, int(opening.tag[1])) if opening.type == "heading_open" else Paragraph(runs))

    def _close(self) -> None:
        done = self._stack.pop()
        assert done.token is not None
        if done.token.type == "th_open":
            # the table stands above the head and its row
            self._stack[-3].alignments.append(str(done.token.attrs.get("style", "")).removeprefix("text-align:"))
        if (part := _CLOSING[done.token.type](done)) is not None:
            self._add(part)


def _quote(done: _Open) -> Quote | None:
    return Quote(tuple(done.parts)) if done.parts else None


def _listing(done: _Open) -> Listing | None:
    if not any(item.blocks for item in done.parts):
        return None
    assert done.token is not None
    start = int(done.token.attrs.get("start", 1)) if done.token.type == "ordered_list_open" else None
    return Listing(tuple(done.parts), start, done.is_tight)


def _item(done: _Open) -> Item:
    blocks = tuple(done.parts)
    if blocks and isinstance(blocks[0], Paragraph) and (task := _TASK.match(blocks[0].runs[0].text)):
        first, *others = blocks[0].runs
        runs = (Run(first.text[task.end() :], first.style, first.url), *others)
        if first.style is Style.NONE and not _is_blank(runs):
            return Item((Paragraph(runs), *blocks[1:]), task[1] != " ")
    return Item(blocks)


def _cell(done: _Open) -> Inline:
    return done.parts[0].runs if done.parts else ()


def _table(done: _Open) -> Table | None:
    [[header], *bodies] = done.parts
    rows = tuple(row for body in bodies for row in body)
    if all(_is_blank(cell) for row in (header, *rows) for cell in row):
        return None
    return Table(header, rows, tuple(done.alignments))


_CLOSING: dict[str, Callable[[_Open], Any]] = {
    "blockquote_open": _quote,
    "bullet_list_open": _listing,
    "ordered_list_open": _listing,
    "list_item_open": _item,
    "th_open": _cell,
    "td_open": _cell,
    "tr_open": lambda done: tuple(done.parts),
    "thead_open": lambda done: done.parts,
    "tbody_open": lambda done: done.parts,
    "table_open": _table,
}


def _is_blank(runs: Inline) -> bool:
    return all(is_blank(run.text) for run in runs)


# -- inline text --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Writing:
    """Inline text as far as it is read: pieces, the styles that are open, and the link with where it began."""

    pieces: list[Run] = field(default_factory=list)
    counts: dict[Style, int] = field(default_factory=lambda: dict.fromkeys(_STYLES.values(), 0))
    links: list[str] = field(default_factory=list)
    """Addresses of the links that are open; the outermost counts."""
    label_start: int = 0

    def add(self, text: str, extra: Style = Style.NONE) -> None:
        style = extra
        for one, count in self.counts.items():
            if count:
                style |= one
        self.pieces.append(Run(clean(text), style, self.links[0] if self.links else ""))

    def open_link(self, address: str) -> None:
        if not self.links:
            self.label_start = len(self.pieces)
        self.links.append(address)

    def close_link(self) -> None:
        """A link without a label is its own; one that may not be followed is text with the address after it."""
        address = self.links.pop()
        if self.links:
            return
        label = "".join(piece.text for piece in self.pieces[self.label_start :])
        shown = _shown(address)
        if address.lower().startswith(SCHEMES):
            if is_blank(label):
                self.pieces.append(Run(shown, url=address))
            return
        self.pieces[self.label_start :] = [Run(piece.text, piece.style) for piece in self.pieces[self.label_start :]]
        if shown and label not in (shown, address):
            self.add(shown if is_blank(label) else f" ({shown})")


def inline(tokens: Sequence[Token]) -> Inline:
    """The runs of inline tokens, neighbours of one style joined."""
    writing = _Writing()
    for token in tokens:
        _read_inline(token, writing)
    joined = []
    for (style, url), pieces in groupby(writing.pieces, key=lambda piece: (piece.style, piece.url)):
        if text := "".join(piece.text for piece in pieces):
            joined.append(Run(text, style, url))
    return tuple(joined)


def _read_inline(token: Token, writing: _Writing) -> None:
    name = token.type.removesuffix("_open").removesuffix("_close")
    if name in _STYLES:
        writing.counts[_STYLES[name]] += token.nesting
    elif token.type == "link_open":
        writing.open_link(str(token.attrs["href"]))
    elif token.type == "link_close":
        writing.close_link()
    elif token.type == "image":
        _read_image(token, writing)
    elif token.type == "code_inline":
        writing.add(token.content, Style.CODE)
    else:
        writing.add("\n" if token.type in ("softbreak", "hardbreak") else token.content)


def _read_image(token: Token, writing: _Writing) -> None:
    """An image is a link to it, named by the text that stands for it."""
    writing.open_link(str(token.attrs["src"]))
    writing.add("".join(run.text for run in inline(token.children or ())))
    writing.close_link()


def _shown(address: str) -> str:
    return clean(_parser().normalizeLinkText(address)).strip()
