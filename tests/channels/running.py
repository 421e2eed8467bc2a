"""Parley on a platform of the test's own: real adapter, real sockets, real database; a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.app import App, open_app
from bot.channel import Update
from bot.channels import plan_channels, run_channels, serve
from bot.clock import Clock
from bot.config import load
from bot.exchange import Exchange
from bot.patience import Sleep
from bot.types import Address, Message
from tests.servers.bot_api import BotApiServer
from tests.servers.discord_server import DiscordServer

CONFIGURATION = """
[model]
name = "echo"
generator = "echo"
echo_delay_seconds = {delay}

[access]
mode = "open"
messages_per_minute = 0

{channel}
{more}
"""
TELEGRAM = """[channels.telegram]
token = "{0.token}"
base_url = "{0.base_url}"
base_file_url = "{0.base_file_url}\""""
DISCORD = """[channels.discord]
token = "{0.token}"
api_url = "{0.api_url}"
gateway_url = "{0.gateway_url}\""""

Server = BotApiServer | DiscordServer


def write_configuration(server: Server, home: Path, *, delay: float = 0.0, more: str = "") -> Path:
    """A configuration for the server's first bot; `more` are further lines, of the channel's table at first."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "parley.toml"
    channel = (TELEGRAM if isinstance(server, BotApiServer) else DISCORD).format(server)
    file.write_text(CONFIGURATION.format(channel=channel, delay=delay, more=more))
    return file


@asynccontextmanager
async def running(
    server: Server,
    home: Path,
    *,
    delay: float = 0.0,
    more: str = "",
    clock: Clock | None = None,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[App]:
    """The program with its channel, until the block ends; then everything closes in order."""
    configuration = load(write_configuration(server, home, delay=delay, more=more))
    async with open_app(configuration, clock=clock) as app:
        task = asyncio.create_task(run_channels(plan_channels(configuration), app, configuration, sleep=sleep))
        try:
            yield app
        finally:
            task.cancel()
            await asyncio.wait([task])


@dataclass(slots=True)
class Serving:
    """A channel at work, into which a test puts what no platform tells."""

    exchange: Exchange
    said: list[Message] = field(default_factory=list)
    """What people said, as it arrived."""

    async def accept(self, updates: Sequence[Update]) -> None:
        self.said += [update.message for update in updates]
        await self.exchange.accept(updates)

    async def since(self) -> datetime | None:
        return await self.exchange.since()

    async def note_reading(self, since: datetime | None) -> None:
        await self.exchange.note_reading(since)

    async def private_chats(self) -> list[Address]:
        return await self.exchange.private_chats()


@asynccontextmanager
async def serving(server: Server, home: Path, *, delay: float = 0.0, more: str = "") -> AsyncIterator[Serving]:
    """As `running`, for tests that accept updates of their own."""
    configuration = load(write_configuration(server, home, delay=delay, more=more))
    [plan] = plan_channels(configuration)
    async with (
        open_app(configuration) as app,
        plan.open() as adapter,
        serve(adapter, app, configuration) as exchange,
    ):
        channel = Serving(exchange)
        task = asyncio.create_task(adapter.run(channel))
        try:
            yield channel
        finally:
            task.cancel()
            await asyncio.wait([task])
