"""What happens on a platform, on its way to the intake: in order, and first what was said while nobody listened.

For platforms that tell something once, whether or not it was kept, and let be read what was said. Knows no platform.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from bot.channel import Intake, Update
from bot.errors import ChannelError, Unreachable
from bot.patience import Patience

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""Beyond that, nothing more is put in line: it is read once what waits is kept."""


class Backlog:
    """The line in front of one intake."""

    def __init__(self, intake: Intake, patience: Patience) -> None:
        self._intake = intake
        self._patience = patience
        self._line: asyncio.Queue[Update] = asyncio.Queue()
        self._held: dict[str, list[tuple[Update, tuple[str, ...]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Lock()
        self._has_left_out = False
        self._is_handing_over = False
        self._kept = asyncio.Event()

    @property
    def is_reading(self) -> bool:
        """Whether something that was said before is not kept yet."""
        return bool(self._held or self._is_handing_over or self._line.qsize())

    async def wait_kept(self) -> None:
        """Return when nothing is being read any more, and all of it is kept."""
        while self.is_reading:
            self._kept.clear()
            await self._kept.wait()

    async def wait_turn(self, *places: str, seconds: float) -> None:
        """Return when what happened before at these places is kept, or so many seconds later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._is_handing_over or self._line.qsize() or not self._held.keys().isdisjoint(places):
                    self._kept.clear()
                    await self._kept.wait()

    async def insist(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Do something that storage or connection may prevent for now."""
        await self._patience.insist(attempt)

    def add(self, update: Update, *places: str) -> None:
        """Something happened at a place, which may be part of others, named before it. Where one of them is being read,
        it comes after what is found there."""
        held = next((self._held[place] for place in places if place in self._held), None)
        if self._line.qsize() >= MOST_WAITING:
            self._has_left_out = True
        elif held is not None:
            held.append((update, places))
        else:
            self._line.put_nowait(update)

    def read(self, place: str, source: Callable[[], Awaitable[Iterable[Update]]]) -> None:
        """Begin to read what was said at a place; `source` gives it, oldest first."""
        if place not in self._held:
            self._held[place] = []
            self.spawn(self._read(place, source))

    async def _read(self, place: str, source: Callable[[], Awaitable[Iterable[Update]]]) -> None:
        try:
            for update in await self._patience.insist(source):
                self._line.put_nowait(update)
        finally:
            for later, places in self._held.pop(place):
                self.add(later, *places)
            self._kept.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something besides, which ends with the run."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ChannelError):
            logger.info("something that was said could not be taken in: %s", error.reason)
        elif error:
            logger.error("something that was said could not be taken in", exc_info=error)

    async def accept(self, updates: Iterable[Update]) -> None:
        """Have something kept that waits for nothing, however long that takes."""
        async with self._turns:  # whether something is kept may depend on what came before
            await self._patience.insist(partial(self._intake.accept, [*updates]))

    async def run(self, listening: Coroutine[Any, Any, None]) -> None:
        """Hand over what happens while something else listens; what ends that, ends this.

        Raises:
            Unreachable: so much waited that something was left out, and is to be read.
        """
        working = [asyncio.create_task(each) for each in (self._hand_over(), listening)]
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            ending = [*working, *self._tasks]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _hand_over(self) -> None:
        while True:
            updates = [await self._line.get()]
            while not self._line.empty():
                updates.append(self._line.get_nowait())
            self._is_handing_over = True
            await self.accept(updates)
            self._is_handing_over = False
            self._kept.set()
            if self._has_left_out:
                raise Unreachable("more happened than could be kept")
