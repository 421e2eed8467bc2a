"""What the tests share: an intake that fails on demand, an adapter at the test server, pauses that take no time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.telegram.adapter import TelegramAdapter
from bot.channel import Update
from bot.errors import StorageError
from bot.types import Address
from tests.servers.bot_api import BotApiServer


class ScriptedIntake:
    """Keeps updates in a list, after it failed `failures` times."""

    def __init__(self, *, failures: int = 0) -> None:
        self.updates: list[Update] = []
        self.failures = failures
        self._changed = asyncio.Condition()

    async def accept(self, updates: Sequence[Update]) -> None:
        """Keep, or fail as a locked database does."""
        async with self._changed:
            if self.failures and updates:
                self.failures -= 1
                raise StorageError("storage.locked", place="parley.db")
            self.updates.extend(updates)
            self._changed.notify_all()

    async def since(self) -> None:
        """Nothing asks for it."""

    async def note_reading(self, since: datetime | None) -> None:
        """Nothing is read."""

    async def private_chats(self) -> list[Address]:
        """Nobody's."""
        return []

    async def until(self, condition: Callable[[], object], *, seconds: float = 10) -> None:
        """Wait until it is true; TimeoutError if it does not become so."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    @property
    def texts(self) -> list[str]:
        """What was said."""
        return [update.message.text for update in self.updates]


class Pauses:
    """A sleep that does not take time, and remembers for how long it was asked."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def adapter_for(server: BotApiServer, *, sleep: Pauses | None = None, **config: Any) -> TelegramAdapter:
    """An adapter for the server's first bot."""
    table = {"token": server.token, "base_url": server.base_url, **config}
    return TelegramAdapter(TelegramAdapter.Config.model_validate(table), home=Path(), sleep=sleep or Pauses())


@asynccontextmanager
async def running(adapter: TelegramAdapter, intake: ScriptedIntake) -> AsyncIterator[asyncio.Task[None]]:
    """The adapter while it receives; at the end it is stopped as the program stops it."""
    async with adapter:
        task = asyncio.create_task(adapter.run(intake))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
