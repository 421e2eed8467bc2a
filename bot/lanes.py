"""One turn at a time in each place, in order of arrival; places never wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from bot.errors import Busy


class _Lane:
    """The lock of one place and the number of turns that hold it or wait for it."""

    __slots__ = ("__weakref__", "lock", "pending")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.pending = 0


class Lanes:
    """Hands out the right to run a turn. Forgets a place when nobody waits in it."""

    def __init__(self, *, max_pending: int | None = 8) -> None:
        self._max_pending = max_pending
        self._lanes: WeakValueDictionary[str, _Lane] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Wait until earlier turns are over, and keep later ones waiting.

        Args:
            key: names the place where people talk.

        Raises:
            Busy: `max_pending` turns wait already.
        """
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        if self._max_pending is not None and lane.pending > self._max_pending:
            raise Busy("errors.busy", pending=self._max_pending)
        lane.pending += 1
        try:
            async with lane.lock:
                yield
        finally:
            lane.pending -= 1

    async def wait(self, key: str) -> None:
        """Wait until earlier turns are over."""
        async with self.hold(key):
            pass
