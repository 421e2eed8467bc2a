"""An adapter at the test server, as the tests of its parts use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.contract import ScriptedIntake, receiving
from adapters.discord.adapter import DiscordAdapter
from tests.adapters.discord.platform import soon
from tests.servers.discord_people import Person
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel, Guild


def adapter_for(server: DiscordServer, **config: Any) -> DiscordAdapter:
    """An adapter for the server's first bot, which has the server's addresses, and takes no pauses."""
    table = {"token": server.token, "api_url": server.api_url, "gateway_url": server.gateway_url, **config}
    return DiscordAdapter(DiscordAdapter.Config.model_validate(table), home=Path(), sleep=soon)


@dataclass(frozen=True, slots=True)
class Scene:
    """A server of Ann's with one channel, Ann's private chat with the bot, and the bot, which listens."""

    server: DiscordServer
    adapter: DiscordAdapter
    intake: ScriptedIntake
    ann: Person
    guild: Guild
    general: Channel
    direct: Channel


@asynccontextmanager
async def scene(server: DiscordServer, **config: Any) -> AsyncIterator[Scene]:
    """It, while the adapter runs."""
    ann = server.person("Ann")
    guild = server.guild("Friends", ann)
    general, direct = server.channel(guild, "general"), server.dm(ann)
    async with adapter_for(server, **config) as adapter, receiving(adapter) as intake:
        await server.wait_until(server.gateway.connected)
        yield Scene(server, adapter, intake, ann, guild, general, direct)
