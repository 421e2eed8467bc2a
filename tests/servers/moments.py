"""The time of a test server and waiting for something to happen in it; knows nothing of protocols.

A server's `now` is a clock that can be told to run ahead, and every change of its world wakes whoever waits for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Moments:
    """What every test server with a world of its own can do with time.

    Args:
        clock: the time in seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._waiters: list[asyncio.Future[None]] = []

    def now(self) -> float:
        """The time that everything is dated by."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass at once: what expires expires, limits fill up."""
        self._ahead += seconds
        self.changed()

    def changed(self) -> None:
        """Wake whoever waits for a condition."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait_until(self, condition: Callable[[], T], *, seconds: float = 10) -> T:
        """What `condition` gives once it is true; looked at after each change, TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter
        return value
