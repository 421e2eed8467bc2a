"""`parley run`: what its owner sees of it."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.channels.running import write_configuration
from tests.cli.program import PARLEY, environment
from tests.servers.bot_api import BotApiServer


async def log_of_a_run(home: Path, **variables: str) -> str:
    """What it writes to its log until it is stopped, as a person stops it once it receives."""
    async with BotApiServer() as server:
        write_configuration(server, home)
        program = await asyncio.create_subprocess_exec(
            PARLEY, "run", stdout=PIPE, stderr=PIPE, env=environment(**variables)
        )
        await server.wait_until(lambda: server.statistics().methods.get("GetUpdates"), seconds=30)
        program.send_signal(signal.SIGINT)
        return (await program.communicate())[1].decode()


async def test_it_says_when_it_is_connected(home: Path) -> None:
    [line] = (await log_of_a_run(home)).splitlines()
    assert line.endswith("INFO bot.channels: telegram: connected, as account 7000001")


async def test_it_says_only_what_is_wrong_where_that_is_chosen(home: Path) -> None:
    assert await log_of_a_run(home, PARLEY_LOG__LEVEL="WARNING") == ""
