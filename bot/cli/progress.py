"""Shows on standard error what an installation does: a bar on a terminal, a line for every tenth elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from bot.errors import ModelError
from bot.generation.sizes import format_size
from bot.texts import Texts

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PERCENT_STEP = 10
BYTES_STEP = 100_000_000
"""Between two lines where nobody knows how much is to come."""


class InstallationProgress:
    """A watcher of installations (`bot.generation.fetching.Watcher`) for people; enter it, so that the bar ends."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._told = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end_bar()

    def news(self, key: str, /, **values: object) -> None:
        """Print the sentence."""
        self._say(self._texts.get(key, **values))

    def failure(self, error: ModelError) -> None:
        """Print why a source failed, and that another is tried."""
        self._say(error.told(self._texts))
        self._say(self._texts.get("models.trying_next"))

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """Move the bar, or print the next line."""
        if sys.stderr.isatty():
            self._move_bar(done_bytes, total_bytes)
        else:
            self._print_step(done_bytes, total_bytes)

    def _say(self, sentence: str) -> None:
        self._end_bar()
        self._told = -1
        print(sentence, file=sys.stderr, flush=True)

    def _print_step(self, done_bytes: int, total_bytes: int | None) -> None:
        step = done_bytes * 100 // total_bytes // PERCENT_STEP if total_bytes else done_bytes // BYTES_STEP
        if step <= self._told:
            return
        self._told = step
        done, total = format_size(done_bytes), format_size(total_bytes or 0)
        print(f"{step * PERCENT_STEP:3d} %  {done} / {total}" if total_bytes else done, file=sys.stderr, flush=True)

    def _move_bar(self, done_bytes: int, total_bytes: int | None) -> None:
        if self._bar is None or self._task is None:
            self._bar = _make_bar()
            self._task = self._bar.add_task("", total=total_bytes)
            self._bar.start()
        self._bar.update(self._task, completed=done_bytes, total=total_bytes)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


def _make_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
