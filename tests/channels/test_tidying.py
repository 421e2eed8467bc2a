"""What is kept of what was dealt with long ago."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import open_app
from bot.config import load
from tests.channels.memory import MemoryAdapter
from tests.channels.running import running, write_configuration
from tests.channels.seeing import answers
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat


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


async def test_files_that_no_message_came_with_are_removed_after_a_day(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    folder = home / "attachments"
    async with running(server, home):
        ann.sends(chat, "photo", content=b"wanted")
        await answers(server, chat, 1)
    for name in ("left over", "new"):
        (folder / name).write_bytes(b"unwanted")
    for path in folder.iterdir():
        if path.name != "new":
            os.utime(path, (time.time() - 100_000,) * 2)
    async with running(server, home), asyncio.timeout(10):
        while (folder / "left over").exists():
            await asyncio.sleep(0.01)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == [b"unwanted", b"wanted"]
