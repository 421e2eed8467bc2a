"""Trying again what storage or a connection prevents, for as long as it takes, and saying so now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.errors import ChannelError, RateLimited, StorageError, Unreachable

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
NEWS_SECONDS = 60.0


class Patience:
    """Insists on behalf of one adapter, which says in its log (`logger`, `what`) what is tried again."""

    def __init__(self, logger: logging.Logger, what: str, sleep: Sleep) -> None:
        self._logger = logger
        self._what = what
        self._sleep = sleep
        self._said_at: dict[str, float] = {}

    async def insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What comes of the attempt once neither storage, limits nor connection prevent it."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                return await attempt()
            except (StorageError, RateLimited, Unreachable) as error:
                self.complain(error)
                if time.monotonic() - began > LONGEST_PAUSE_SECONDS:  # it went well for a while
                    pause = FIRST_PAUSE_SECONDS
                await self._sleep(max(pause, getattr(error, "retry_after", 0.0)))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def complain(self, error: StorageError | ChannelError) -> None:
        """Log what is wrong: each kind of it once a minute."""
        now = time.monotonic()
        if now - self._said_at.get(error.key, -NEWS_SECONDS) >= NEWS_SECONDS:
            self._said_at[error.key] = now
            self._logger.warning("%s is tried again: %s", self._what, error)
