"""Many channels of many servers at once: none waits for another's limit."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from tests.channels.discord_seeing import connected
from tests.channels.fast import FastTime
from tests.channels.running import running
from tests.servers.discord_faults import Limited
from tests.servers.discord_server import DiscordServer

SERVERS, CHANNELS = 10, 5
LONG_SECONDS = 600.0


async def test_a_channel_that_is_limited_holds_up_no_other(home: Path) -> None:
    fast = FastTime(UTC, speed=10.0)
    async with DiscordServer(clock=fast.seconds) as server:
        ann = server.person("Ann")
        guilds = [server.guild(f"S{number}", ann) for number in range(SERVERS)]
        channels = [server.channel(guild, f"c{number}") for guild in guilds for number in range(CHANNELS)]
        async with running(server, home, clock=fast, sleep=fast.sleep):
            await connected(server)
            server.faults.next("create_message", Limited(LONG_SECONDS), Limited(LONG_SECONDS))
            for channel in channels:
                ann.says(channel, f"{server.mention} Hello")

            def waiting() -> int:
                return sum(not server.screen.from_bots(channel) for channel in channels)

            await server.wait_until(lambda: waiting() == 2)
            for channel in channels:
                ann.says(channel, f"{server.mention} Again")
            await server.wait_until(
                lambda: (
                    sum(server.screen.from_bots(each)[-1:] == ["Ann: Again"] for each in channels) == len(channels) - 2
                )
            )
            assert waiting() == 2
