"""Markdown that streams ends on the screen as if it had been printed whole, and never twice."""

from __future__ import annotations

import io
import random

import pytest
from rich.console import Console

from adapters import terminal_markdown
from adapters.terminal_markdown import MarkdownStream
from tests.adapters.terminal import Terminal

DOCUMENT = """# Plan

A first paragraph with **bold** words and `code`, long enough that it must wrap at the width of the terminal.

- one
- two
  - nested
- three

```python
def f(x):
    return x + 1
```

| a | b |
|---|---|
| 1 | 2 |

> quoted

中文段落，也要正确显示。

The end."""


@pytest.fixture(autouse=True)
def every_piece_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawing is skipped, so that each state is tried."""
    monkeypatch.setattr(terminal_markdown, "REDRAW_SECONDS", 0.0)


def shown(document: str, pieces: list[str], *, height: int = 16) -> list[str]:
    """All lines of the terminal after the pieces have streamed."""
    terminal = Terminal(height=height)
    stream = MarkdownStream(terminal.console)
    for piece in pieces:
        stream.feed(piece)
    stream.finish()
    assert "".join(pieces) == document
    return terminal.lines


@pytest.mark.parametrize("height", [8, 16, 50])
def test_a_streamed_document_looks_like_one_printed_whole(height: int) -> None:
    assert shown(DOCUMENT, list(DOCUMENT), height=height) == shown(DOCUMENT, [DOCUMENT], height=height)


@pytest.mark.parametrize("seed", range(5))
def test_the_cuts_of_the_stream_do_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    pieces, start = [], 0
    while start < len(DOCUMENT):
        size = chance.randint(1, 30)
        pieces.append(DOCUMENT[start : start + size])
        start += size
    assert shown(DOCUMENT, pieces) == shown(DOCUMENT, [DOCUMENT])


def test_every_word_is_there_once() -> None:
    text = "\n".join(shown(DOCUMENT, list(DOCUMENT)))
    for word in ("Plan", "wrap", "nested", "return x + 1", "quoted", "中文段落", "The end."):
        assert text.replace("\n", " ").count(word) == 1, word


def test_a_code_block_longer_than_the_screen_is_shown_whole_in_the_end() -> None:
    lines = [f"line_{number} = {number}" for number in range(60)]
    document = "\n".join(["```python", *lines, "```"])
    found = [line.strip() for line in shown(document, list(document), height=10)]
    assert [line for line in found if line.startswith("line_")] == lines


def test_the_unfinished_block_is_seen_while_it_grows() -> None:
    terminal = Terminal()
    stream = MarkdownStream(terminal.console)
    stream.feed("Half a sen")
    assert terminal.lines == ["Half a sen"]
    stream.feed("tence")
    assert terminal.lines == ["Half a sentence"]


def test_lines_carry_no_white_space_at_their_ends() -> None:
    output = io.StringIO()
    stream = MarkdownStream(Console(file=output, width=60, color_system=None))
    stream.feed("A short line.\n\nAnother.")
    stream.finish()
    assert all(line == line.rstrip() for line in output.getvalue().split("\n"))


def test_an_empty_reply_shows_nothing() -> None:
    assert shown("", [""]) == []


def test_a_reply_cannot_steer_the_terminal() -> None:
    document = "before \x1b[2J\x1b]0;title\x07\x9b31m after"
    assert shown(document, [document]) == ["before [2J]0;title31m after"]
