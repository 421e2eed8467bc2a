"""Waiting for what people see on Discord."""

from __future__ import annotations

from tests.servers.discord_people import Person
from tests.servers.discord_screen import Shown
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel


async def said(
    server: DiscordServer, channel: Channel, *texts: str, person: Person | None = None, seconds: float = 10
) -> list[Shown]:
    """The bots' messages, once they say exactly this there; where they do not, show what they say instead."""
    try:
        await server.wait_until(lambda: server.screen.from_bots(channel, person=person) == list(texts), seconds=seconds)
    except TimeoutError:
        screen = server.screen.text(channel, person=person)
        raise AssertionError(f"expected {texts}, but the screen shows:\n{screen}") from None
    return [shown for shown in server.screen(channel, person=person) if shown.from_bot]


async def connected(server: DiscordServer) -> None:
    """Wait until the bot hears what people do, and its commands are offered."""
    await server.wait_until(lambda: server.gateway.connected() and server.bot().commands)
