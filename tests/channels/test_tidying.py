"""What is kept of what was dealt with long ago."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import open_app
from bot.config import load
from tests.channels.memory import MemoryAdapter
from tests.channels.running import running, write_configuration
from tests.servers.bot_api import BotApiServer


async def test_what_was_dealt_with_months_ago_is_forgotten_and_what_is_newer_is_not(
    server: BotApiServer, home: Path
) -> None:
    platform, now = MemoryAdapter(), datetime.now(UTC)
    old, new = platform.said("Hello"), platform.said("Hello again")
    async with open_app(load(write_configuration(server, home))) as app:
        for update, age in ((old, timedelta(days=90)), (new, timedelta(days=2))):
            [arrival] = await app.ledger.accept([update], at=now - age)
            await app.ledger.finish([arrival.id], at=now - age)
    async with running(server, home) as app, asyncio.timeout(10):
        while not await app.ledger.accept([old], at=now):
            await asyncio.sleep(0.01)
        assert await app.ledger.accept([new], at=now) == []
