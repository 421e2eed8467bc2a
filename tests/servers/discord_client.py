"""The real discord.py as a client of the Discord server, and a small world for it to be in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.servers.discord_people import Person
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel, Guild
from tests.servers.moments import Moments

T = TypeVar("T")


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
        self.messages: list[discord.Message] = []
        self.interactions: list[discord.Interaction] = []
        self.events: list[str] = []
        self._moments = Moments(time.time)
        intents = options.pop("intents", discord.Intents.all())
        super().__init__(intents=intents, guild_ready_timeout=0.05, **options)

    @property
    def heard(self) -> list[str]:
        """The texts that came from others, in order."""
        return [message.content for message in self.messages]

    async def until(self, condition: Callable[[], T]) -> T:
        """What `condition` gives once it is true; looked at after each event."""
        return await self._moments.wait_until(condition)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Note an event before anybody handles it."""
        self.events.append(event)
        if event == "message" and args[0].author.id != (self.user.id if self.user else 0):
            self.messages.append(args[0])
        elif event == "interaction":
            self.interactions.append(args[0])
        super().dispatch(event, *args, **kwargs)
        self._moments.changed()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Begin anew without the library's five seconds of waiting."""


@asynccontextmanager
async def listening(
    server: DiscordServer, client: Listener | None = None, *, token: str = ""
) -> AsyncIterator[Listener]:
    """A client that is connected and ready; what ends it before that is raised."""
    client = client or Listener()
    with routed(server):
        running = asyncio.create_task(client.start(token or server.token))
        ready = asyncio.create_task(client.until(lambda: "ready" in client.events))
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        try:
            await (running if running.done() else ready)
            yield client
        finally:
            ready.cancel()
            await client.close()
            await asyncio.gather(running, ready, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Scene:
    """A guild of Ann's with one channel and the bot in it, and a client that is connected as the bot."""

    server: DiscordServer
    client: Listener
    ann: Person
    guild: Guild
    general: Channel

    @property
    def channel(self) -> discord.TextChannel:
        """The channel, as the client knows it."""
        found = self.client.get_channel(self.general.id)
        assert isinstance(found, discord.TextChannel)
        return found

    async def heard(self, count: int = 1) -> list[discord.Message]:
        """The messages that the client has heard, once there are so many."""
        await self.client.until(lambda: len(self.client.messages) >= count)
        return self.client.messages

    async def until(self, event: str, times: int = 1) -> None:
        """Wait for an event, which may have come already."""
        await self.client.until(lambda: self.client.events.count(event) >= times)


@asynccontextmanager
async def staged(server: DiscordServer, client: Listener | None = None) -> AsyncIterator[Scene]:
    """A scene on a server that runs."""
    ann = server.person("Ann")
    guild = server.guild("Friends", ann)
    general = server.channel(guild, "general")
    async with listening(server, client) as running:
        yield Scene(server, running, ann, guild, general)
