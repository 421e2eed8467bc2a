"""Writes laid-out lines as the Markdown that chat platforms understand, with everything else escaped.

That Markdown is not CommonMark: a fence is always three backticks, a quote ends with its line, links are only http and
https and their labels must not look like addresses. Mentions are left to the adapter, who knows how to disarm them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from bot.delivery.formatted import Formatted
from bot.delivery.layout import Line, join, lay_out
from bot.delivery.markup import Document, Inline, Run, Style
from bot.delivery.rendering import HARD_SPACE, Closed, Event, Opened, Written, marks, names, nest, write_source
from bot.delivery.tables import PHONE_COLUMNS

_SIGNS = {"bold": "**", "italic": "*", "strikethrough": "~~", "spoiler": "||"}
# addresses stay as they are: a backslash would become part of them
_ESCAPED = re.compile(r"(https?://[^\s<`|]+)|([\\*_~`|]|<(?=[@#:/a-zA-Z])|\](?=\(|\Z))")
_LINE_START = re.compile(r"(\d{0,9})(?=#{1,3}(?:\s|\Z)|-#|[-+](?:\s|\Z)|>|[.)](?:\s|\Z))")
_INVISIBLE = "\u200b"
"""Keeps two signs apart that would be read as one."""


@dataclass(frozen=True, slots=True)
class Markdown:
    """Markdown source. An address longer than `longest_url` is shown as text, which can be split."""

    longest_url: int = 1000

    def adapt(self, runs: Inline) -> Inline:
        adapted: list[Run] = []
        for url, group in groupby(runs, key=lambda run: run.url):
            label = list(group)
            text = "".join(run.text for run in label)
            if not url or self._may_link(text, url):
                adapted += label
                continue
            adapted += [replace(run, url="") for run in label]
            if not names(text, url):
                adapted.append(Run(f" ({url})"))
        return join(adapted)

    def _may_link(self, label: str, url: str) -> bool:
        is_web = url.lower().startswith(("http://", "https://"))
        return is_web and len(url) <= self.longest_url and "://" not in label

    def glue(self, before: Line | None, after: Line | None) -> str:
        parts = []
        goes_on = before is not None and after is not None and before.code == after.code
        if before is not None and before.code and not goes_on:
            parts.append("\n" + _quoted(before) + "```")
        if before is not None and after is not None:
            parts.append("\n")
            if after.has_gap:
                parts.append((_quoted(after) if after.quote == before.quote else "") + "\n")
        if after is not None:
            parts.append(_quoted(after))
            if after.code and not goes_on:
                parts.append(f"```{after.language}\n{_quoted(after)}")
        return "".join(parts)

    def body(self, line: Line) -> str:
        if line.code:
            return re.sub("``(?=`)", f"``{_INVISIBLE}", line.text)
        source = line.marker + _inline(line.runs)
        if start := _LINE_START.match(source):
            source = f"{start[1]}\\{source[start.end() :]}"
        return HARD_SPACE * line.indent + source

    def spans(self, before: Line | None, line: Line) -> int:
        return 0

    def write(self, lines: Sequence[Line]) -> Formatted:
        return Formatted(write_source(self, lines))


def _quoted(line: Line) -> str:
    return "> " if line.quote else ""


def _inline(runs: Inline) -> str:
    parts = [""]
    before: Event | None = None
    for event in nest([(run, marks(run)) for run in runs]):
        part = _written(event) if isinstance(event, Written) else _sign(event)
        is_code = isinstance(event, Written) and part[:1] == "`"
        if is_code or (isinstance(before, Closed) and isinstance(event, Opened)):
            parts.append(_INVISIBLE if parts[-1][-1:] == part[0] else "")
        parts.append(part)
        before = event
    return "".join(parts)


def _sign(event: Opened | Closed) -> str:
    kind, url = event.mark
    if kind == "link":
        return "[" if isinstance(event, Opened) else f"]({_address(url)})"
    return _SIGNS[kind]


def _written(event: Written) -> str:
    return _code(event.text) if Style.CODE in event.run.style else _escape(event.text)


def _code(text: str) -> str:
    if not text.strip():
        return text
    # three backticks would begin a block, even within a line
    text = re.sub("`(?=`)", f"`{_INVISIBLE}", text)
    if "`" not in text:
        return f"`{text}`"
    before, after = (" " if text[at] == "`" else "" for at in (0, -1))
    return f"``{before}{text}{after}``"


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda match: match[1] or "\\" + match[2], text)


def _address(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")


def render_markdown(document: Document, *, columns: int = PHONE_COLUMNS) -> str:
    """The whole document as Markdown."""
    return Markdown().write(lay_out(document, columns=columns, adapt=Markdown().adapt)).text
