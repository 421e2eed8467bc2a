"""A terminal for tests: what a person would see on the screen and by scrolling back."""

from __future__ import annotations

import io

import pyte
from rich.console import Console


class Terminal(io.StringIO):
    """Interprets what is written to it, as a terminal emulator does."""

    def __init__(self, *, width: int = 60, height: int = 16) -> None:
        super().__init__()
        self._screen = pyte.HistoryScreen(width, height, history=10_000)
        self._screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self._screen)
        self.console = Console(
            file=self, force_terminal=True, width=width, height=height, highlight=False, color_system="standard"
        )

    def write(self, text: str) -> int:
        """Show the text."""
        self._stream.feed(text)
        return len(text)

    def isatty(self) -> bool:
        """It is a terminal."""
        return True

    @property
    def lines(self) -> list[str]:
        """Everything from the first line to the last, without trailing space and empty lines at the end."""
        width = self._screen.columns
        rows = [*self._screen.history.top, *(self._screen.buffer[row] for row in range(self._screen.lines))]
        lines = ["".join(row[column].data for column in range(width)).rstrip() for row in rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def screen(self) -> list[str]:
        """The visible lines."""
        return [line.rstrip() for line in self._screen.display]
