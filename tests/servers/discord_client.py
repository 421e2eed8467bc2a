"""The real discord.py as a client of the Discord server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.servers.discord_server import DiscordServer


@contextmanager
def routed(server: DiscordServer) -> Iterator[None]:
    """Let discord.py talk to the server, whatever client in this process."""
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = server.api_url, yarl.URL(server.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before


class Listener(discord.Client):
    """A client that notes what it hears: `heard` has each message's text, `events` the name of every event."""

    def __init__(self, **options: Any) -> None:
        intents = options.pop("intents", discord.Intents.all())
        super().__init__(intents=intents, guild_ready_timeout=0.05, **options)
        self.messages: list[discord.Message] = []
        self.interactions: list[discord.Interaction] = []
        self.events: list[str] = []

    @property
    def heard(self) -> list[str]:
        """The texts that came, in order."""
        return [message.content for message in self.messages]

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Note an event before anybody handles it."""
        self.events.append(event)
        super().dispatch(event, *args, **kwargs)

    async def on_message(self, message: discord.Message) -> None:
        """Note a message, unless it is an own one."""
        if message.author.id != (self.user.id if self.user else 0):
            self.messages.append(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Note an interaction."""
        self.interactions.append(interaction)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Begin anew without the library's five seconds of waiting."""


@asynccontextmanager
async def listening(
    server: DiscordServer, client: Listener | None = None, *, token: str = ""
) -> AsyncIterator[Listener]:
    """A client that is connected and ready; what ends it early is raised where it is left."""
    client = client or Listener()
    with routed(server):
        running = asyncio.create_task(client.start(token or server.token))
        ready = asyncio.create_task(_ready(client))
        await asyncio.wait({running, ready}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        try:
            if running.done():
                await running
            assert ready.done()
            yield client
        finally:
            ready.cancel()
            await client.close()
            await asyncio.gather(running, ready, return_exceptions=True)


async def _ready(client: discord.Client) -> None:
    while client.loop is discord.utils.MISSING or not client.is_ready():
        await asyncio.sleep(0.005)
